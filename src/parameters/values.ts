import { GatewayError } from '../domain/gateway-error.ts';
import type { Values } from '../domain/model-capabilities.ts';

/** The entry of a list of sizes that stands for every size within the pixel rule. */
export const anySizeWithinRule = 'WxH';

/** In pixels, as Azure documents them for gpt-image-2. */
const rule = { multipleOf: 16, maxEdge: 3840, ratio: 3, minPixels: 655_360, maxPixels: 8_294_400 };

/** The rule in words, for messages and documents. */
export const pixelRule = `any ${anySizeWithinRule} with edges that are multiples of ${rule.multipleOf} and at most ${rule.maxEdge}, a ratio of at most ${rule.ratio}:1, and ${rule.minPixels} to ${rule.maxPixels} pixels`;

/** Whether a parameter takes a value. */
export function takes(values: Values, value: string): boolean {
  if (values === 'any') return true;
  return values.some((entry) => (entry === anySizeWithinRule ? isWithinPixelRule(value) : entry === value));
}

/** Whether a family has no such parameter at all. */
export function isAbsent(values: Values): boolean {
  return values.length === 0;
}

/** The family has no such parameter. @param param its wire name */
export function unsupportedParameter(param: string): GatewayError {
  return new GatewayError('unsupported_parameter', `This model does not support '${param}'.`, { param });
}

/** The family has the parameter, but not this value of it; or it has no such parameter at all. */
export function unsupportedValue(param: string, value: string, values: Values): GatewayError {
  if (isAbsent(values)) return unsupportedParameter(param);
  const known = values === 'any' ? ['any value'] : values;
  const list = known.map((entry) => (entry === anySizeWithinRule ? pixelRule : entry)).join(', ');
  const message = `'${param}' cannot be '${value}' for this model: it takes ${list}.`;
  return new GatewayError('invalid_value', message, { param });
}

/** Whether a text is a `WxH` that newer GPT image models can make. */
function isWithinPixelRule(size: string): boolean {
  const match = /^([1-9]\d{1,3})x([1-9]\d{1,3})$/.exec(size);
  if (match === null) return false;
  const [width, height] = [Number(match[1]), Number(match[2])];
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const pixels = width * height;
  return (
    width % rule.multipleOf === 0 &&
    height % rule.multipleOf === 0 &&
    long <= rule.maxEdge &&
    long <= rule.ratio * short &&
    pixels >= rule.minPixels &&
    pixels <= rule.maxPixels
  );
}
