import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities, OwnParameter } from '../domain/model-capabilities.ts';
import { unsupportedParameter } from './parameter-rules.ts';

type Extra = ImageRequest['extra'];

/**
 * Parameters beyond OpenAI's, as the family takes them: those of its own have been checked, and are numbers and booleans also
 * where a form has sent them as text. Throws a GatewayError that names the parameter.
 */
export function checkOwnParameters(
  extra: Extra,
  { ownParameters, extraParameters }: Pick<ModelCapabilities, 'ownParameters' | 'extraParameters'>,
): Extra {
  const checked = Object.entries(extra).map(([name, value]) => {
    const own = Object.hasOwn(ownParameters, name) ? ownParameters[name] : undefined;
    if (own !== undefined) return [name, checkedValue(name, value, own)];
    if (!extraParameters) throw unsupportedParameter(name);
    return [name, value];
  });
  return Object.fromEntries(checked.filter(([, value]) => value !== undefined));
}

/** The value to send; `undefined`: it says what happens anyway. */
function checkedValue(name: string, value: unknown, own: OwnParameter): unknown {
  const read = readValue(value, own);
  if (read === undefined) {
    throw new GatewayError('invalid_value', `'${name}' must be ${inWords(own)}.`, { param: name });
  }
  if (own.type !== 'boolean' || own.isOff === undefined) return read;
  if (read === true) {
    throw new GatewayError('invalid_value', `'${name}' cannot be true: ${own.isOff}.`, { param: name });
  }
  return undefined;
}

function readValue(value: unknown, own: OwnParameter): number | boolean | string | undefined {
  switch (own.type) {
    case 'boolean':
      return typeof value === 'boolean' ? value : flags.get(value);
    case 'ratio':
      return typeof value === 'string' && /^[1-9]\d{0,3}:[1-9]\d{0,3}$/.test(value) ? value : undefined;
    default: {
      const number = typeof value === 'string' && /^-?\d{1,15}(\.\d{1,9})?$/.test(value) ? Number(value) : value;
      const { type, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = own;
      const isNumber = type === 'integer' ? Number.isSafeInteger(number) : Number.isFinite(number);
      return isNumber && (number as number) >= min && (number as number) <= max ? (number as number) : undefined;
    }
  }
}

/** How forms write booleans. */
const flags: ReadonlyMap<unknown, boolean> = new Map([
  ['true', true],
  ['false', false],
]);

function inWords(own: OwnParameter): string {
  if (own.type === 'boolean') return 'true or false';
  if (own.type === 'ratio') return 'a ratio such as 16:9';
  const { type, min, max } = own;
  const what = type === 'integer' ? 'a whole number' : 'a number';
  if (min === undefined) return type === 'integer' ? `${what} below 2^53` : what;
  return max === undefined ? `${what} of at least ${min}` : `${what} from ${min} to ${max}`;
}

/**
 * The request with `width` and `height` as its size, where the family takes a size in its edges. Throws a GatewayError where one
 * of them is missing, or there is a size beside them.
 */
export function withEdgesAsSize(request: ImageRequest, { ownParameters }: ModelCapabilities): ImageRequest {
  const { width, height, ...extra } = request.extra;
  if (ownParameters.width === undefined || (width === undefined && height === undefined)) return request;
  if (request.size !== undefined) {
    const message = "'size' cannot be combined with 'width' and 'height'.";
    throw new GatewayError('invalid_value', message, { param: 'size' });
  }
  const missing = width === undefined ? 'width' : height === undefined ? 'height' : undefined;
  if (missing !== undefined) {
    throw new GatewayError('missing_required_parameter', `'${missing}' is missing.`, { param: missing });
  }
  const checked = checkOwnParameters({ width, height }, { ownParameters, extraParameters: false });
  return { ...request, size: `${checked.width}x${checked.height}`, extra };
}

/** An error about a size in the words of a caller that has sent its edges. */
export function inCallersEdges(error: GatewayError, { size, extra: { width, height } }: ImageRequest): GatewayError {
  const hasEdges = width !== undefined && height !== undefined && size === undefined;
  if (error.param !== 'size' || !hasEdges) return error;
  return error.with({ param: 'width' }, error.message.replace("'size'", "'width' and 'height'"));
}
