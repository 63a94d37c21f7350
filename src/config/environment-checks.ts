import { accessSync, constants } from 'node:fs';
import type { Variables } from './interpolate.ts';
import { ConfigError, type Problem, suggest } from './problems.ts';

/** The gateway's own variables; the files in `config/` may refer to others. */
export const environmentNames: readonly string[] = [
  'HOST',
  'PORT',
  'MODELS_FILE',
  'DATA_DIR',
  'JOBS_URL',
  'IMAGES_URL',
  'IMAGE_LINKS',
  'AZURE_STORAGE_KEY',
  'AZURE_STORAGE_CONNECTION_STRING',
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
 * Reports unknown variables whose names look like the gateway's: a misspelt GATEWAY_API_KEYS would otherwise turn authentication off.
 *
 * @param referred the variables that the configuration files refer to
 */
export function unreadVariables(variables: Variables, referred: ReadonlySet<string>): Problem[] {
  return Object.entries(variables).flatMap(([name, value = '']) => {
    const isRead = environmentNames.includes(name) || referred.has(name);
    const isMeant = name.startsWith('GATEWAY_') && !isRead && value.trim() !== '';
    // Kubernetes sets such variables in every pod for a service named `gateway`.
    if (!isMeant || value.startsWith('tcp://')) return [];
    const meant = nearestName(name);
    return meant === '' ? [] : [{ path: name, message: `unknown variable${meant}` }];
  });
}

function nearestName(name: string): string {
  if (/^GATEWAY_(API_?)?(KEYS?|TOKENS?)$/.test(name)) return ', did you mean `GATEWAY_API_KEYS`?';
  const bare = name.replace('GATEWAY_', '');
  return environmentNames.includes(bare) ? `, did you mean \`${bare}\`?` : suggest(name, environmentNames);
}

/** Each of these needs both variables of `needed`. */
const owners = ['AZURE_CLIENT_SECRET', 'AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'] as const;
const files = ['AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'] as const;
const tenant = /^[A-Za-z0-9.-]+$/;
const wrongTenant = { path: 'AZURE_TENANT_ID', message: 'must be a tenant ID or domain' };
const needed = ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID'] as const;

/**
 * Checks the variables of a Microsoft Entra ID identity: `@azure/identity` would silently skip an incomplete one and try the next.
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
  return { path: name, message: `is required with ${owner}` };
}

function unreadable(name: string): Problem {
  return { path: name, message: 'the file cannot be read' };
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
 * Without certificate checks, keys, tokens and prompts would go to anyone who impersonates Azure.
 *
 * @throws ConfigError when the environment turns certificate checks off
 */
export function checkTlsVerification({ NODE_TLS_REJECT_UNAUTHORIZED: isVerified }: Variables): void {
  if (isVerified !== '0') return;
  const message =
    'must not be 0, which turns certificate checks off; for a private CA set NODE_EXTRA_CA_CERTS to its file';
  throw new ConfigError('the environment', [{ path: 'NODE_TLS_REJECT_UNAUTHORIZED', message }]);
}
