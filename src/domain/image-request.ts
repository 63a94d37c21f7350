import type { EditInputs } from './image-input.ts';

/** How the caller wants its images: as a link, or as base64 inside the response. */
export type Delivery = 'url' | 'b64_json';

/** What an upstream can be asked to do. */
export const operations = ['generate', 'edit'] as const;

export type Operation = (typeof operations)[number];

/** The Images API makes no more images than this per call. */
export const maxImages = 10;

/**
 * What was asked, in our words, whichever wire form it came in. A member that is `undefined` was not asked for;
 * JSON `null` on the wire means the same and never gets here.
 */
export type ImageRequest = {
  /** What an edit works on; `undefined`: the image is made from the prompt alone. */
  readonly edit: EditInputs | undefined;
  readonly prompt: string;
  /** How many images. */
  readonly count: number;
  readonly size: string | undefined;
  readonly quality: string | undefined;
  readonly background: string | undefined;
  readonly outputFormat: string | undefined;
  /** 0 to 100. */
  readonly outputCompression: number | undefined;
  readonly moderation: string | undefined;
  readonly style: string | undefined;
  /** How closely an edit keeps to its inputs. */
  readonly inputFidelity: string | undefined;
  readonly user: string | undefined;
  /** `undefined`: whatever the upstream gives. */
  readonly delivery: Delivery | undefined;
  /** Whether the caller wants the images as a stream of events. */
  readonly stream: boolean;
  /** How many partial images of an image the stream may have, 0 to 3. */
  readonly partialImages: number;
  /** Parameters that the gateway does not interpret, by wire name: forwarded or refused by name, never dropped. */
  readonly extra: Readonly<Record<string, unknown>>;
};

/** The members of a request that are optional on the wire, with their names in OpenAI's Images API. */
export const wireNames = {
  count: 'n',
  size: 'size',
  quality: 'quality',
  background: 'background',
  outputFormat: 'output_format',
  outputCompression: 'output_compression',
  moderation: 'moderation',
  style: 'style',
  inputFidelity: 'input_fidelity',
  user: 'user',
  delivery: 'response_format',
} as const satisfies Partial<Record<keyof ImageRequest, string>>;

export type OptionalMember = keyof typeof wireNames;

/** Members with which the operator fills in what a caller leaves out. */
export type RequestDefaults = Partial<Pick<ImageRequest, Exclude<OptionalMember, 'count' | 'user' | 'inputFidelity'>>>;

/** The wire names of the parameters that a request has. */
export function parameterNames(request: ImageRequest): ReadonlySet<string> {
  const { edit, extra, stream, partialImages } = request;
  const asked = { ...request, count: request.count === 1 ? undefined : request.count };
  const optional = Object.entries(wireNames).filter(([member]) => asked[member as OptionalMember] !== undefined);
  const names = ['prompt', ...optional.map(([, name]) => name), ...Object.keys(extra)];
  if (stream) names.push('stream');
  if (partialImages > 0) names.push('partial_images');
  if (edit) names.push('image', 'images');
  if (edit?.mask) names.push('mask');
  if (edit?.markup) names.push('markup');
  return new Set(names);
}

/** The edges that a size such as `1024x1536` names, in pixels; `undefined`: it names none. */
export function edgesOf(size: string): { readonly width: number; readonly height: number } | undefined {
  const match = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/.exec(size);
  return match === null ? undefined : { width: Number(match[1]), height: Number(match[2]) };
}

/** Every text that a caller has written into its request. */
export function callerTexts({ prompt, user, extra }: ImageRequest): readonly string[] {
  return [prompt, ...textsIn([user, extra])];
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
