import type { CredentialSource } from '../domain/credential-source.ts';
import type { Secret } from '../domain/secret.ts';
import type { EntraTokens } from './entra.ts';
import { TokenSource, type TokenTimes } from './token-source.ts';

/** `now`: the next call shows another credential; `later`: there will be another one, but not soon. */
export type Renewal = 'now' | 'later' | 'never';

/** What one call shows to its upstream. */
export type ShownCredential = {
  readonly header: Readonly<Record<string, string>>;
  /** The upstream did not accept it. When a call would show another one. */
  refused(): Renewal;
};

/** How calls show an upstream who makes them. */
export interface Credential {
  /** Rejects with a GatewayError when there is nothing to show, and with the signal's reason. */
  show(signal: AbortSignal): Promise<ShownCredential>;
}

/** The key of an Azure resource. */
export function keyCredential(apiKey: Secret): Credential {
  const shown: ShownCredential = { header: { 'api-key': apiKey.expose() }, refused: () => 'never' };
  return { show: async () => shown };
}

/** The same credential; a key goes as a bearer token, as some hosts of Azure want it. */
export function keyAsBearer(credential: Credential): Credential {
  return {
    async show(signal) {
      const shown = await credential.show(signal);
      const { 'api-key': key, ...header } = shown.header;
      return key === undefined ? shown : { ...shown, header: { ...header, authorization: `Bearer ${key}` } };
    },
  };
}

/** A bearer token of Microsoft Entra ID. */
export function tokenCredential(tokens: TokenSource): Credential {
  return {
    async show(signal) {
      const token = await tokens.token(signal);
      return {
        header: { authorization: `Bearer ${token.expose()}` },
        refused: () => (tokens.refused(token) ? 'now' : 'later'),
      };
    },
  };
}

/** The same credential with further headers, so that they go wherever it goes and nowhere else. */
export function withHeaders(credential: Credential, headers: Readonly<Record<string, Secret>>): Credential {
  const further = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.expose()]));
  return {
    async show(signal) {
      const shown = await credential.show(signal);
      return { ...shown, header: { ...further, ...shown.header } };
    },
  };
}

/** Makes what calls show; targets with equal scopes share their token, also with those of another configuration. */
export function createCredentials(
  times?: Partial<TokenTimes>,
): (entra: EntraTokens | undefined) => (source: CredentialSource) => Credential {
  const tokens = new Map<string, TokenSource>();

  function credentialOf(source: CredentialSource, entra: EntraTokens | undefined): Credential {
    if ('apiKey' in source) return keyCredential(source.apiKey);
    if (entra === undefined) throw new Error('a target needs tokens, and there is no way to any');
    const shared = tokens.get(source.scope) ?? new TokenSource(entra(source.scope), { times });
    tokens.set(source.scope, shared);
    return tokenCredential(shared);
  }

  return (entra) => (source) => {
    const credential = credentialOf(source, entra);
    return source.headers === undefined ? credential : withHeaders(credential, source.headers);
  };
}
