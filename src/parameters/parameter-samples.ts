import type { EditInputs, InputReference } from '../domain/image-input.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities, OwnParameter } from '../domain/model-capabilities.ts';
import { operationOf } from './plan.ts';

/** A request that asks for one parameter, to see what becomes of it. */
export type ParameterSample = {
  /** The parameter's wire name. */
  readonly parameter: string;
  /** The value as documents show it. */
  readonly value: string;
  readonly member: keyof ImageRequest;
  readonly request: ImageRequest;
};

/** A request that asks for nothing but an image. */
export const plainRequest: ImageRequest = {
  edit: undefined,
  prompt: 'a cat',
  count: 1,
  size: undefined,
  quality: undefined,
  background: undefined,
  outputFormat: undefined,
  outputCompression: undefined,
  moderation: undefined,
  style: undefined,
  inputFidelity: undefined,
  user: undefined,
  delivery: undefined,
  stream: false,
  partialImages: 0,
  extra: {},
};

const sizes = ['auto', '256x256', '512x512', '1024x1024', '1536x1024', '1024x1536', '1792x1024', '1024x1792'];
const jpeg = { outputFormat: 'jpeg' };

const image: InputReference = {
  sha256: '',
  size: 0,
  type: 'image/png',
  width: 1024,
  height: 1024,
  hasAlpha: true,
};

/** Nothing reads the bytes of a sample. */
const inputs = { open: async function* () {}, release: async () => {} };

function editOf(count: number, overlays: Partial<EditInputs> = {}): EditInputs {
  const images = Array.from({ length: count }, () => image);
  return { images, mask: undefined, markup: undefined, inputs, ...overlays };
}

/** Every value that a family of the table or an adaptation knows, and some that none knows. */
export const parameterSamples: readonly ParameterSample[] = [
  ...[2, 5, 6, 10].map((count) => sample('n', 'count', count)),
  ...[...sizes, '2048x1152', '1000x1000'].map((size) => sample('size', 'size', size)),
  ...['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd'].map((value) =>
    sample('quality', 'quality', value),
  ),
  ...['vivid', 'natural'].map((value) => sample('style', 'style', value)),
  ...['auto', 'opaque', 'transparent'].map((value) => sample('background', 'background', value)),
  ...['png', 'jpeg', 'webp', 'bmp'].map((value) => sample('output_format', 'outputFormat', value)),
  ...[0, 80, 100].map((value) => sample('output_compression', 'outputCompression', value, jpeg, `${value} with jpeg`)),
  ...['auto', 'low'].map((value) => sample('moderation', 'moderation', value)),
  ...(['url', 'b64_json'] as const).map((value) => sample('response_format', 'delivery', value)),
  sample('stream', 'stream', true),
  sample('stream', 'count', 2, { stream: true }, 'true with n 2'),
  ...[1, 3].map((value) => sample('partial_images', 'partialImages', value, { stream: true }, `${value} with stream`)),
  sample('size of an edit', 'size', '1024x1024', { edit: editOf(1) }),
  sample('user', 'user', 'someone', {}, 'any text'),
  sample('safety_identifier', 'extra', { safety_identifier: 'someone' }, {}, 'any text'),
  ...['low', 'high'].map((value) => sample('input_fidelity', 'inputFidelity', value, { edit: editOf(1) }, `${value}`)),
  ...[1, 16].map((count) => sample('image', 'edit', editOf(count), {}, `${count}`)),
  sample('mask', 'edit', editOf(1, { mask: image }), {}, 'an image'),
  sample('markup', 'edit', editOf(1, { markup: image }), {}, 'an image'),
  sample('seed', 'extra', { seed: 7 }, {}, 'a number'),
  sample('other parameters', 'extra', { complexity: 'low' }, {}, 'such as complexity'),
];

/** Those that make sense for a family: edits only where it edits, and its own parameters. */
export function samplesFor({ operations, ownParameters }: ModelCapabilities): readonly ParameterSample[] {
  const possible = parameterSamples.filter(({ request }) => operations.includes(operationOf(request)));
  const own = Object.entries(ownParameters).filter(([name]) => !asSize.includes(name) && name !== 'seed');
  return [...possible, ...own.map(([name, parameter]) => ownSample(name, parameter))];
}

/** They become the size before anything is checked. */
const asSize = ['width', 'height'];

function ownSample(name: string, own: OwnParameter): ParameterSample {
  if (own.type === 'boolean') return sample(name, 'extra', { [name]: true }, {}, 'true');
  if (own.type === 'ratio') return sample(name, 'extra', { [name]: '16:9' }, {}, '16:9');
  const { min = 7, max } = own;
  return sample(name, 'extra', { [name]: min }, {}, max === undefined ? 'a number' : `${min} to ${max}`);
}

function sample<Member extends keyof ImageRequest>(
  parameter: string,
  member: Member,
  value: ImageRequest[Member],
  others: Partial<ImageRequest> = {},
  shown = String(value),
): ParameterSample {
  return { parameter, value: shown, member, request: { ...plainRequest, ...others, [member]: value } };
}
