import { ConfigError } from './config-error.ts';
import type { Variables } from './interpolate.ts';

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
