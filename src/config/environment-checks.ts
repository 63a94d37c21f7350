import { accessSync, constants } from 'node:fs';
import type { Variables } from './interpolate.ts';
import { ConfigError, type Problem, suggest } from './problems.ts';

/** Every variable that the gateway reads for itself; the files of `config/` may refer to any others. */
export const environmentNames: readonly string[] = [
  'HOST',
  'PORT',
  'MODELS_FILE',
  'DATA_DIR',
  'PUBLIC_BASE_URL',
  'GATEWAY_API_KEYS',
  'KEYS_FILE',
  'CORS_ORIGINS',
  'TRUST_PROXY',
  'METRICS_PORT',
  'LOG_LEVEL',
  'LOG_PRETTY',
];

/**
 * Variables that nobody reads although their names say that they are meant for the gateway. One that is passed over may
 * be the only key, so the start stops.
 * @param referred those that the files of the configuration read
 */
export function unreadVariables(variables: Variables, referred: ReadonlySet<string>): Problem[] {
  return Object.entries(variables).flatMap(([name, value = '']) => {
    const isRead = environmentNames.includes(name) || referred.has(name);
    const isMeant = name.startsWith('GATEWAY_') && !isRead && value.trim() !== '';
    // Kubernetes gives every pod such variables for a service with the name `gateway`.
    if (!isMeant || value.startsWith('tcp://')) return [];
    const meant = nearestName(name);
    return meant === '' ? [] : [{ path: name, message: `nobody reads this variable${meant}` }];
  });
}

function nearestName(name: string): string {
  if (/^GATEWAY_(API_?)?(KEYS?|TOKENS?)$/.test(name)) return ', did you mean `GATEWAY_API_KEYS`?';
  const bare = name.replace('GATEWAY_', '');
  return environmentNames.includes(bare) ? `, did you mean \`${bare}\`?` : suggest(name, environmentNames);
}

/** Variables of an identity that mean nothing without these two. */
const owners = ['AZURE_CLIENT_SECRET', 'AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'] as const;
const files = ['AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'] as const;
const tenant = /^[A-Za-z0-9.-]+$/;
const wrongTenant = { path: 'AZURE_TENANT_ID', message: 'must be the id or the domain of a tenant' };
const needed = ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID'] as const;

/**
 * Checks the variables by which a process gets its identity at Microsoft Entra ID: one that is there by half would be passed over
 * without a word, and the next identity tried. The names are those of `@azure/identity`.
 *
 * @throws ConfigError with every problem that was found
 */
export function checkIdentity(variables: Variables): void {
  const isSet = (name: string) => (variables[name] ?? '').trim() !== '';
  const problems = [
    ...owners
      .filter(isSet)
      .flatMap((owner) => needed.filter((name) => !isSet(name)).map((name) => missing(name, owner))),
    ...files.filter((name) => isSet(name) && !isReadable(variables[name])).map(unreadable),
    ...(isSet('AZURE_TENANT_ID') && !tenant.test((variables.AZURE_TENANT_ID ?? '').trim()) ? [wrongTenant] : []),
  ];
  if (problems.length > 0) throw new ConfigError('the environment', problems);
}

function missing(name: string, owner: string): Problem {
  return { path: name, message: `is required beside ${owner}` };
}

function unreadable(name: string): Problem {
  return { path: name, message: 'names a file that cannot be read' };
}

function isReadable(path = ''): boolean {
  try {
    accessSync(path.trim(), constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Node's own switch would show keys, tokens and prompts to anybody who answers in Azure's place.
 *
 * @throws ConfigError when the environment turns the verification of certificates off
 */
export function checkTlsVerification({ NODE_TLS_REJECT_UNAUTHORIZED: isVerified }: Variables): void {
  if (isVerified !== '0') return;
  const message = 'must not be 0: for a certificate of your own set NODE_EXTRA_CA_CERTS to its file';
  throw new ConfigError('the environment', [{ path: 'NODE_TLS_REJECT_UNAUTHORIZED', message }]);
}
