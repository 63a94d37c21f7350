import type { PostgresSettings } from '../domain/postgres-settings.ts';
import { Secret } from '../domain/secret.ts';
import { isLoopback } from './network.ts';
import { suggest } from './problems.ts';

const parameters = ['sslmode', 'auth', 'schema'] as const;
const encryptedModes = ['require', 'verify-ca', 'verify-full'];
const modes = ['disable', ...encryptedModes];
const schemaName = /^[a-z_][a-z0-9_]{0,62}$/;
const defaultPort = 5432;

const form = 'must look like postgres://user:password@host:5432/database';

/**
 * Reads `JOBS_URL`. Reports what is wrong with it, and never a part of it that may be secret; then the result is of no use.
 * Certificates are checked, as `verify-full` of libpq does: https://www.postgresql.org/docs/current/libpq-ssl.html
 */
export function readJobsUrl(text: string, report: (message: string) => void): PostgresSettings | undefined {
  const url = URL.parse(text);
  if (url === null || !/^postgres(?:ql)?:$/.test(url.protocol) || url.hostname === '') {
    report(form);
    return undefined;
  }
  const { searchParams: search } = url;
  const user = decode(url.username);
  const database = decode(url.pathname.slice(1));
  if (user === undefined || user === '') report(`${form}: the user is missing`);
  if (database === undefined || !/^[^/]+$/.test(database)) report(`${form}: the name of the database is missing`);
  for (const name of search.keys()) {
    if (!parameters.includes(name as never)) report(`has an unknown parameter${suggest(name, parameters)}`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const mode = search.get('sslmode') ?? (isLoopback(host) ? 'disable' : 'verify-full');
  if (!modes.includes(mode)) report(`sslmode must be one of ${modes.join(', ')}`);
  const auth = search.get('auth') ?? 'password';
  if (auth !== 'password' && auth !== 'entra') report('auth must be password or entra');
  if (auth === 'entra' && url.password !== '') report('must not hold a password with auth=entra');
  if (auth === 'entra' && mode === 'disable' && !isLoopback(host)) report('auth=entra needs an encrypted connection');
  const schema = search.get('schema') ?? undefined;
  if (schema !== undefined && !schemaName.test(schema)) {
    report('schema must be 1 to 63 lower-case letters, digits and underscores, and begin with no digit');
  }
  const password = url.password === '' ? undefined : new Secret(decode(url.password) ?? '');
  return {
    host,
    port: url.port === '' ? defaultPort : Number(url.port),
    database: database ?? '',
    user: user ?? '',
    password: auth === 'entra' ? 'entra' : password,
    isEncrypted: mode !== 'disable',
    schema,
  };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
