import { Secret } from '../domain/secret.ts';
import type { AcquireToken } from './token-source.ts';

/** Makes the way to tokens of one scope. */
export type EntraTokens = (scope: string) => AcquireToken;

/**
 * Tokens of Microsoft Entra ID, by whatever identity the process finds: service principal or workload identity from the
 * environment, managed identity, a developer's login. The package is large, so it is loaded only when a target needs it.
 * Rejects when it is not installed, or when the environment does not make sense to it.
 */
export async function loadEntra(): Promise<EntraTokens> {
  const [{ DefaultAzureCredential }, { ManagedIdentityApplication }] = await loadPackages();
  // Throws for an environment that it cannot use at all.
  new DefaultAzureCredential();
  return (scope) => async (signal) => {
    // A new instance begins with an empty cache, but for managed identities, which all share one: it would give a refused
    // token again, and there is no other way to empty it.
    Reflect.set(ManagedIdentityApplication, 'nodeStorage', undefined);
    const token = await new DefaultAzureCredential().getToken(scope, { abortSignal: signal }).catch((error) => {
      throw new SignInError(error);
    });
    if (!/^[!-~]+$/.test(token.token)) throw new TypeError('the token is not usable in a header');
    return { token: new Secret(token.token), expiresAt: token.expiresOnTimestamp };
  };
}

function loadPackages() {
  return Promise.all([import('@azure/identity'), import('@azure/msal-node')]).catch((cause) => {
    const message = 'tokens of Microsoft Entra ID need the package @azure/identity: npm ci --include=optional';
    throw new Error(message, { cause });
  });
}

/** Why there is no token, in nothing but codes: the library's messages may quote the responses that it got. */
class SignInError extends Error {
  override readonly name = 'SignInError';
  /** Microsoft's own codes (`AADSTS700016`), or the names of the errors. */
  readonly code: string;

  constructor(error: unknown) {
    super('no identity could get a token');
    const errors = error instanceof AggregateError || hasErrors(error) ? [error, ...error.errors] : [error];
    const codes = errors.flatMap((one) => String(one).match(/AADSTS\d{4,8}/g) ?? []);
    const names = errors.flatMap((one) => (one instanceof Error ? [one.name] : []));
    this.code = [...new Set(codes.length > 0 ? codes : names)].join(', ');
  }
}

function hasErrors(error: unknown): error is { readonly errors: readonly unknown[] } {
  return typeof error === 'object' && error !== null && 'errors' in error && Array.isArray(error.errors);
}
