import { ConfigError, type Problem } from './config-error.ts';
import type { Variables } from './interpolate.ts';

/** Variables of an identity that mean nothing without these two. */
const owners = ['AZURE_CLIENT_SECRET', 'AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_FEDERATED_TOKEN_FILE'] as const;
const needed = ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID'] as const;

/**
 * Checks the variables by which a process gets its identity at Microsoft Entra ID: one that is there by half would be passed over
 * without a word, and the next identity tried. The names are those of `@azure/identity`.
 *
 * @throws ConfigError with every problem that was found
 */
export function checkIdentity(variables: Variables): void {
  const isSet = (name: string) => (variables[name] ?? '').trim() !== '';
  const problems = owners
    .filter(isSet)
    .flatMap((owner) => needed.filter((name) => !isSet(name)).map((name) => missing(name, owner)));
  if (problems.length > 0) throw new ConfigError('the environment', problems);
}

function missing(name: string, owner: string): Problem {
  return { path: name, message: `is required beside ${owner}` };
}
