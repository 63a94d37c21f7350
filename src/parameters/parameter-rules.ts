import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities, Values } from '../domain/model-capabilities.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import { isSizeRule, isWithin, sizeRuleInWords } from './size-rules.ts';

// Which values a model takes, which parameters exclude each other, and the errors that say so.

/** Whether a parameter takes a value. */
export function takes(values: Values, value: string): boolean {
  if (values === 'any') return true;
  return values.some((entry) => (isSizeRule(entry) ? isWithin(entry, value) : entry === value));
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
  const list = known.map((entry) => (isSizeRule(entry) ? sizeRuleInWords(entry) : entry)).join(', ');
  const message = `'${param}' cannot be '${value}' for this model: it takes ${list}.`;
  return new GatewayError('invalid_value', message, { param });
}

/** Two parameters that exclude each other, at least with some values. */
export type Conflict = {
  /** Wire names; the error is about the first one. */
  readonly names: readonly [string, string];
  /** The policies that refuse it. */
  readonly policies: readonly ParameterPolicy[];
  readonly reason: string;
};

const always: Conflict['policies'] = ['adapt', 'strict', 'pass'];
const unlessPassed: Conflict['policies'] = ['adapt', 'strict'];
const strictly: Conflict['policies'] = ['strict'];

const oldAndNew = 'the one belongs to the DALL·E models, the other to newer ones';

/**
 * The first two are rules of the gateway itself, the next two follow from the formats. No model knows both parameters of
 * the others.
 */
const table = {
  streamOfUrls: {
    names: ['stream', 'response_format'],
    policies: always,
    reason: "a stream carries base64, so 'response_format' cannot be 'url'",
  },
  partialImagesWithoutStream: {
    names: ['partial_images', 'stream'],
    policies: always,
    reason: "partial images are sent in a stream only, so 'stream' must be true",
  },
  transparentJpeg: {
    names: ['background', 'output_format'],
    policies: unlessPassed,
    reason: "'jpeg' cannot be 'transparent'",
  },
  compressionWithoutLevel: {
    names: ['output_compression', 'output_format'],
    policies: unlessPassed,
    reason: "the format has no compression level, and neither has 'png' where it is the default",
  },
  freeRatioWithSize: {
    names: ['auto_aspect_ratio', 'size'],
    policies: unlessPassed,
    reason: 'the model chooses the size, or takes this one',
  },
  ratioWithSize: {
    names: ['aspect_ratio', 'size'],
    policies: unlessPassed,
    reason: 'a size has a ratio of its own',
  },
  styleWithFormat: { names: ['style', 'output_format'], policies: strictly, reason: oldAndNew },
  deliveryWithFormat: { names: ['response_format', 'output_format'], policies: strictly, reason: oldAndNew },
  deliveryWithBackground: { names: ['response_format', 'background'], policies: strictly, reason: oldAndNew },
  deliveryWithSeed: { names: ['response_format', 'seed'], policies: strictly, reason: oldAndNew },
} satisfies Readonly<Record<string, Conflict>>;

type ConflictName = keyof typeof table;

export const conflicts: readonly Conflict[] = Object.values(table);

/** Whether the model is asked to choose the shape of its images. */
export function hasFreeRatio({ extra: { auto_aspect_ratio: value } }: ImageRequest): boolean {
  return value === true || value === 'true';
}

/** The conflicts of a request that a policy refuses. */
export function conflictsIn(
  request: ImageRequest,
  family: ModelCapabilities,
  policy: ParameterPolicy,
): readonly Conflict[] {
  const { stream, partialImages, background, outputFormat, outputCompression } = request;
  const hasFormat = outputFormat !== undefined;
  const hasSize = request.size !== undefined;
  const hasDelivery = request.delivery !== undefined;
  const isIn: Readonly<Record<ConflictName, boolean>> = {
    streamOfUrls: stream && request.delivery === 'url',
    partialImagesWithoutStream: !stream && partialImages > 0,
    transparentJpeg: background === 'transparent' && outputFormat === 'jpeg',
    compressionWithoutLevel: outputCompression !== undefined && hasNoLevel(outputFormat, family),
    freeRatioWithSize: hasFreeRatio(request) && hasSize && Object.hasOwn(family.ownParameters, 'auto_aspect_ratio'),
    ratioWithSize:
      Object.hasOwn(request.extra, 'aspect_ratio') && hasSize && Object.hasOwn(family.ownParameters, 'aspect_ratio'),
    styleWithFormat: request.style !== undefined && hasFormat,
    deliveryWithFormat: hasDelivery && hasFormat,
    deliveryWithBackground: hasDelivery && background !== undefined,
    deliveryWithSeed: hasDelivery && Object.hasOwn(request.extra, 'seed'),
  };
  const names = Object.keys(table) as ConflictName[];
  return names.filter((name) => isIn[name] && table[name].policies.includes(policy)).map((name) => table[name]);
}

/** Formats that the family does not make at all are refused for themselves. */
function hasNoLevel(asked: string | undefined, family: ModelCapabilities): boolean {
  const format = asked ?? family.defaults.outputFormat;
  if (format === undefined) return false;
  return format === 'png' || (takes(family.outputFormats, format) && !takes(family.compressionFormats, format));
}

export function conflictError({ names: [first, second], reason }: Conflict): GatewayError {
  const message = `'${first}' and '${second}' cannot be combined like this: ${reason}.`;
  return new GatewayError('invalid_value', message, { param: first });
}
