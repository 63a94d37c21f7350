import type { Secret } from '../domain/secret.ts';
import { type Credential, keyCredential, tokenCredential } from './credential.ts';
import type { EntraTokens } from './entra.ts';
import { TokenSource, type TokenTimes } from './token-source.ts';

/** A key, or the scope for which tokens are to be had. */
export type CredentialSource = { readonly apiKey: Secret } | { readonly scope: string };

/** Makes what calls show; targets with equal scopes share their token, also with those of another configuration. */
export function createCredentials(
  times?: Partial<TokenTimes>,
): (entra: EntraTokens | undefined) => (source: CredentialSource) => Credential {
  const tokens = new Map<string, TokenSource>();
  return (entra) => (source) => {
    if ('apiKey' in source) return keyCredential(source.apiKey);
    if (entra === undefined) throw new Error('a target needs tokens, and there is no way to any');
    const shared = tokens.get(source.scope) ?? new TokenSource(entra(source.scope), { times });
    tokens.set(source.scope, shared);
    return tokenCredential(shared);
  };
}
