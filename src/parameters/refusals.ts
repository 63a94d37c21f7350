import { GatewayError } from '../domain/gateway-error.ts';
import type { Values } from '../domain/model-capabilities.ts';
import { describeValues, isAbsent } from './allowed-values.ts';

/** The family has no such parameter. @param param its wire name */
export function unsupportedParameter(param: string): GatewayError {
  return new GatewayError('unsupported_parameter', `This model does not support '${param}'.`, { param });
}

/** Under `strict` nothing is left to an agent. @param param its wire name */
export function decidedByAgent(param: string): GatewayError {
  const message = `'${param}' cannot be guaranteed for this model: its agent decides.`;
  return new GatewayError('unsupported_parameter', message, { param });
}

/** The family has the parameter, but not this value of it; or it has no such parameter at all. */
export function unsupportedValue(param: string, value: string, values: Values): GatewayError {
  if (isAbsent(values)) return unsupportedParameter(param);
  const message = `'${param}' cannot be '${value}' for this model: it takes ${describeValues(values)}.`;
  return new GatewayError('invalid_value', message, { param });
}

/** Two parameters that cannot be had together; the first one is named as the one at fault. */
export function excludedPair([first, second]: readonly [string, string], reason: string): GatewayError {
  const message = `'${first}' and '${second}' cannot be combined like this: ${reason}.`;
  return new GatewayError('invalid_value', message, { param: first });
}
