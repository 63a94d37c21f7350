import type { Problem } from './config-error.ts';
import type { Variables } from './interpolate.ts';
import { suggest } from './suggest.ts';

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
