import type { Secret } from './secret.ts';

/** What a target's calls show: the resource's key, or tokens of Microsoft Entra ID for a scope. */
export type CredentialSource = ({ readonly apiKey: Secret } | { readonly scope: string }) & {
  /** Further headers, by their names in lower case, for a front door that wants a key of its own. */
  readonly headers?: Readonly<Record<string, Secret>>;
};

export function isSameCredential(one: CredentialSource, other: CredentialSource): boolean {
  if (!hasSameHeaders(one, other)) return false;
  if ('apiKey' in one) return 'apiKey' in other && one.apiKey.equals(other.apiKey);
  return 'scope' in other && one.scope === other.scope;
}

function hasSameHeaders({ headers: one = {} }: CredentialSource, { headers: other = {} }: CredentialSource): boolean {
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) => one[name] !== undefined && other[name]?.equals(one[name]) === true);
}
