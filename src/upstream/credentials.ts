import type { CredentialSource } from '../domain/credential-source.ts';
import { type Credential, keyCredential, tokenCredential, withHeaders } from './credential.ts';
import type { EntraTokens } from './entra.ts';
import { TokenSource, type TokenTimes } from './token-source.ts';

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
