import type { JsonPath } from '../../codec/json-scanner.ts';
import { GatewayError } from '../../domain/gateway-error.ts';

/** A place in a JSON body, as `images[0].image_url`. Names from the client are shown only when they look like names. */
export function memberName(path: JsonPath): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${/^[A-Za-z0-9_.-]{1,64}$/.test(part) ? part : '?'}`))
    .join('')
    .slice(1);
}

/** The error for a member that is not what it should be. */
export function invalidMember(
  param: string,
  problem: string,
  kind: 'invalid_value' | 'unknown_parameter' | 'unsupported_parameter' = 'invalid_value',
): GatewayError {
  return new GatewayError(kind, `'${param}' ${problem}.`, { param });
}
