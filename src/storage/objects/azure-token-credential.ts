import type { Secret } from '../../domain/secret.ts';

/** Gets tokens of Microsoft Entra ID for a scope; `expiresAt` in milliseconds since 1970. */
export type TokensFor = (
  scope: string,
) => (signal: AbortSignal) => Promise<{ readonly token: Secret; readonly expiresAt: number }>;

/** Lends our own way to tokens to Azure's packages, which keep a token until shortly before it expires. */
export function azureTokenCredential(tokens: TokensFor) {
  return {
    async getToken(scopes: string | string[], { abortSignal }: { readonly abortSignal?: unknown } = {}) {
      const [scope = ''] = [scopes].flat();
      const { token, expiresAt } = await tokens(scope)(
        abortSignal instanceof AbortSignal ? abortSignal : AbortSignal.any([]),
      );
      return { token: token.expose(), expiresOnTimestamp: expiresAt };
    },
  };
}
