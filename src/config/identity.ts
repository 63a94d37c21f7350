import { accessSync, constants } from 'node:fs';
import { ConfigError, type Problem } from './config-error.ts';
import type { Variables } from './interpolate.ts';

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
