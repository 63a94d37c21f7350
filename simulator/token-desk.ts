import { randomBytes } from 'node:crypto';

/** A token as it is handed out. `expiresAt` is in milliseconds since 1970. */
export type IssuedToken = { readonly text: string; readonly expiresAt: number };

/** The make-believe managed identity: the tokens it has issued, and what each of them opens. */
export type TokenDesk = {
  /** How many tokens there have been so far. */
  readonly issued: number;
  issue(resource: string): IssuedToken;
  /** Says whether this is a token for one of these resources, neither expired nor revoked. */
  accepts(token: string | undefined, resources: readonly string[]): boolean;
  revokeAll(): void;
};

const keptTokens = 10_000;

/** Opens a desk whose tokens live so many seconds. */
export function createTokenDesk(tokenSeconds: number): TokenDesk {
  const tokens = new Map<string, { readonly resource: string; readonly expiresAt: number }>();
  let issued = 0;
  return {
    get issued() {
      return issued;
    },
    issue(resource) {
      const text = randomBytes(48).toString('base64url');
      const expiresAt = Date.now() + tokenSeconds * 1000;
      // A resource is the same with and without a slash at its end.
      tokens.set(text, { resource: resource.replace(/\/$/, ''), expiresAt });
      const oldest = tokens.keys().next().value;
      if (tokens.size > keptTokens && oldest !== undefined) tokens.delete(oldest);
      issued += 1;
      return { text, expiresAt };
    },
    accepts(token = '', resources) {
      const found = tokens.get(token);
      return found !== undefined && found.expiresAt > Date.now() && resources.includes(found.resource);
    },
    revokeAll: () => tokens.clear(),
  };
}
