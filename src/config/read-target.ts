import type { CredentialSource } from '../domain/credential-source.ts';
import type { Checked, Dialect, DialectAddress, JsonObject, KeyProblem } from '../domain/dialect.ts';
import { Secret } from '../domain/secret.ts';
import { checkAzurePath, likelyBaseURL, normaliseBaseURL } from './base-url.ts';
import type { TargetConfig } from './models-config.ts';
import { priceList } from './price-schema.ts';
import { type JsonPath, type Report, suggest } from './problems.ts';
import { checkHeaders, secretHeaders } from './target-headers.ts';
import type { TargetEntry } from './target-schema.ts';

/** Reads the provider's name; an unknown one is reported with the known ones. */
export function readProvider(
  target: JsonObject,
  dialects: readonly Dialect[],
  path: JsonPath,
  report: Report,
): Dialect | undefined {
  const { provider } = target;
  const dialect = dialects.find((one) => one.claims?.(target)) ?? dialects.find(({ id }) => id === provider);
  if (dialect) return dialect;
  const ids = dialects.map(({ id }) => id);
  const known = `must be one of ${ids.join(', ')}`;
  if (provider === undefined) report([...path, 'provider'], `is required: ${known}`);
  else if (typeof provider !== 'string') report([...path, 'provider'], 'must be a string');
  else report([...path, 'provider'], `unknown provider: ${known}${suggest(provider, ids)}`);
  return undefined;
}

/**
 * Works out a target's address from the unchecked entry, so that a bad address is found beside other mistakes.
 * A base URL that is missing or no string is left to the schema.
 */
export function readAddress(
  dialect: Dialect | undefined,
  target: JsonObject,
  path: JsonPath,
  report: Report,
): DialectAddress | undefined {
  if (typeof target.baseURL !== 'string') return undefined;
  const url = normaliseBaseURL(target.baseURL);
  const address = 'problem' in url || dialect === undefined ? url : addressAt(dialect, url.ok, target);
  if (address === undefined) return undefined;
  if ('problem' in address) {
    const meant = dialect === undefined ? '' : meantAddress(dialect, target.baseURL, target);
    report([...path, 'baseURL'], `${address.problem}${meant}`);
  } else if (typeof address.ok !== 'string') return address.ok;
  return undefined;
}

/** The address that was probably meant, for the end of a message; empty where it would not do, either. */
function meantAddress(dialect: Dialect, text: string, target: JsonObject): string {
  const likely = likelyBaseURL(dialect, text);
  if (likely === undefined) return '';
  if (likely.startsWith('https:')) {
    const address = addressAt(dialect, likely, target);
    if (address === undefined || 'problem' in address) return '';
  }
  const [, version] = /[?&]api-version=(\d{4}-\d\d-\d\d(?:-preview)?|preview)(?:[&#]|$)/.exec(text) ?? [];
  return `, did you mean \`${likely}\`${version === undefined ? '' : ` with the \`apiVersion\` ${version}`}?`;
}

/** Puts the parts of a valid target together. @param position counted from 0, for a target without a name */
export function buildTarget(entry: TargetEntry, address: DialectAddress, position: number): TargetConfig {
  const {
    name = positionName(position),
    apiKey,
    auth,
    headers,
    downloadOrigins,
    capabilities = {},
    price,
    ...others
  } = entry;
  return {
    ...others,
    ...address,
    name,
    credential: credentialSource({ apiKey, auth, headers }),
    downloadOrigins: downloadOrigins.map((origin) => new URL(origin).origin),
    capabilities,
    ...(price && { price: priceList(price) }),
  };
}

type CredentialKeys = {
  readonly apiKey?: string | undefined;
  readonly auth?: { readonly entra: { readonly scope: string } } | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
};

/** What calls show, of keys that {@link checkTogether} has found to be valid: one of `apiKey` and `auth` is there. */
export function credentialSource({ apiKey, auth, headers }: CredentialKeys): CredentialSource {
  return {
    ...(auth ? { scope: auth.entra.scope } : { apiKey: new Secret(apiKey ?? '') }),
    ...(headers && { headers: secretHeaders(headers) }),
  };
}

/** Reports keys that exclude each other, and what is missing where one of several is needed. False: it had to. */
export function checkTogether(
  dialect: Dialect | undefined,
  target: JsonObject,
  path: JsonPath,
  report: Report,
): boolean {
  const problems = [...credentialProblems(target), ...(dialect?.conflicts?.(target) ?? [])];
  for (const [key, message] of problems) report([...path, key], message);
  const areHeadersWhole = checkHeaders(target.headers, [...path, 'headers'], report);
  return problems.length === 0 && areHeadersWhole;
}

/** The name of a target without a name of its own. @param position counted from 0 */
export function positionName(position: number): string {
  return String(position + 1);
}

function addressAt(dialect: Dialect, url: string, target: JsonObject): Checked<DialectAddress> | undefined {
  const address = dialect.address(url, target);
  if (address === undefined || 'problem' in address) return address;
  const checked = checkAzurePath(dialect, address.ok.baseURL);
  return 'problem' in checked ? checked : address;
}

function credentialProblems({ apiKey, auth }: JsonObject): KeyProblem[] {
  if (apiKey === undefined && auth === undefined) return [['apiKey', 'is required, unless there is `auth`']];
  return apiKey !== undefined && auth !== undefined ? [['auth', 'excludes `apiKey`: give one of the two']] : [];
}
