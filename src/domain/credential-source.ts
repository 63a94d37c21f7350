import type { Secret } from './secret.ts';

/** What a target's calls show: the resource's key, or tokens of Microsoft Entra ID for a scope. */
export type CredentialSource = { readonly apiKey: Secret } | { readonly scope: string };

export function isSameCredential(one: CredentialSource, other: CredentialSource): boolean {
  if ('apiKey' in one) return 'apiKey' in other && one.apiKey.equals(other.apiKey);
  return 'scope' in other && one.scope === other.scope;
}
