import { Base64Check } from '../../codec/base64.ts';
import { base64MediaType, imageHeaderCharacters } from '../../codec/image-header.ts';
import type { JsonPath, JsonShape, ScanToken } from '../../codec/json-scanner.ts';
import type { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageEvent, ImageFacts, ImageUsage } from '../../domain/image-event.ts';
import type { ProviderCall } from '../../domain/image-provider.ts';
import { maxImages } from '../../domain/image-request.ts';
import type { Recorder } from '../../domain/recorder.ts';
import { invalidResponse, paidCallError } from '../../upstream/paid-call-error.ts';
import { errorInItem, errorInSuccess } from './azure-error.ts';
import { hasContent } from './json-values.ts';
import { inBatches } from './read-response.ts';

/** The parts of an Images API response that the gateway passes on; content filter results are not among them. */
export const imagesShape: JsonShape = {
  members: {
    created: 'keep',
    error: 'keep',
    usage: 'keep',
    size: 'keep',
    quality: 'keep',
    background: 'keep',
    output_format: 'keep',
    data: { items: { members: { b64_json: 'stream', url: 'keep', revised_prompt: 'keep', error: 'keep' } } },
  },
};

/**
 * The events of an Images API response from the tokens of its body, list by list, in any order of members. Throws a
 * GatewayError for an `error` member, a response without images, what is no image, and a body that is not JSON or
 * breaks.
 */
export async function* imageEvents(
  lists: AsyncIterable<readonly ScanToken[]>,
  call: ProviderCall,
): AsyncGenerator<ImageEvent> {
  const reader = new ImagesReader(call);
  try {
    for await (const tokens of lists) {
      yield* inBatches(tokens, (token) => reader.take(token), ['close']);
    }
    if (reader.images === 0) throw reader.withoutImage();
  } catch (error) {
    throw paidCallError(error, call.attempt);
  }
  yield { type: 'done', ...responseSummary(reader.members, call.recorder) };
}

/** Takes the images out of the tokens of a response. Paths are those of {@link imagesShape}. */
class ImagesReader {
  readonly #recorder: ProviderCall['recorder'];
  /** What stands beside the images. */
  readonly members: Record<string, unknown> = {};
  #item: Item = {};
  /** A text has begun; it is an image once there is a first piece of it. */
  #isAtText = false;
  #failure: unknown;
  /** How many images are complete. */
  images = 0;

  constructor({ recorder }: ProviderCall) {
    this.#recorder = recorder;
  }

  /** What a token means to a caller. Throws a GatewayError. */
  *take(token: ScanToken): Generator<ImageEvent> {
    switch (token.type) {
      case 'text':
        this.#isAtText = true;
        return;
      case 'piece':
        if (this.#isAtText) {
          if (this.#item.image) throw invalidResponse('an item holds two images');
          // An image that was made is not bought again because of a failure beside it.
          if (this.#failure !== undefined) throw errorInItem(this.#failure);
          this.#isAtText = false;
          this.#item.image = new ImageCheck();
          yield { type: 'image', index: this.images, isPartial: false };
        }
        this.#item.image?.add(token.bytes);
        yield { type: 'bytes', chunk: token.bytes };
        return;
      case 'text-end':
        this.#isAtText = false;
        return;
      case 'value':
        this.#keep(token.path, token.value);
        return;
      case 'close':
        if (token.path.length === 2) yield* this.#endItem();
        return;
      case 'dropped':
        this.#recorder.anomaly('value_dropped');
        return;
    }
  }

  #keep(path: JsonPath, value: unknown): void {
    if (path.at(-1) === 'error' && hasContent(value)) this.#fail(value);
    else if (path.length === 3) this.#item = { ...this.#item, ...itemMember(path, value) };
    else if (path.length === 2 && hasContent(value)) throw invalidResponse('an item is not an object');
    else if (path.length === 1) this.members[String(path[0])] = value;
  }

  /** What the response, or an item of it, failed with is told at the end, where there is no image beside it. */
  #fail(error: unknown): void {
    const meaning = errorInItem(error);
    if (meaning.outcome === 'refused' || this.images > 0 || this.#item.image) throw meaning;
    this.#failure ??= error;
  }

  /** What a response without an image means. */
  withoutImage(): GatewayError {
    return this.#failure === undefined ? invalidResponse('the response holds no image') : errorInSuccess(this.#failure);
  }

  /** An item without an image says nothing: the next one may have one. */
  *#endItem(): Generator<ImageEvent> {
    const { image, url, revisedPrompt } = this.#item;
    this.#item = {};
    const link = image ? undefined : imageLink(url);
    if (!image && link === undefined) return;
    if (link !== undefined && this.#failure !== undefined) throw errorInItem(this.#failure);
    // A response that never ends must not be collected.
    if (this.images === maxImages) throw invalidResponse('the response holds too many images');
    const end = { index: this.images, ...(revisedPrompt !== undefined && { revisedPrompt }) };
    image?.judge();
    yield link === undefined ? { type: 'image-end', ...end } : { type: 'url', url: link, ...end };
    this.images += 1;
  }
}

type Item = { image?: ImageCheck; url?: unknown; revisedPrompt?: string };

function itemMember(path: JsonPath, value: unknown): Item {
  const name = path[2];
  if (name === 'url' && hasContent(value)) return { url: value };
  if (name === 'revised_prompt' && typeof value === 'string' && value !== '') return { revisedPrompt: value };
  return {};
}

/** Checks the base64 of an image while it passes: what is not base64 would break the JSON that it is written into. */
export class ImageCheck {
  readonly #base64 = new Base64Check();
  #header: Buffer = Buffer.alloc(0);

  /** Throws `upstream_invalid_response` as soon as this can be no image. To be called before the chunk is handed on. */
  add(chunk: Buffer): void {
    if (!this.#base64.add(chunk)) throw invalidResponse('an image is not base64');
    if (this.#header.length >= imageHeaderCharacters) return;
    this.#header = Buffer.concat([this.#header, chunk.subarray(0, imageHeaderCharacters)]);
    if (this.#header.length >= imageHeaderCharacters) this.#judgeHeader();
  }

  /** To be called at the end of the image. Throws `upstream_invalid_response` when it cannot end here. */
  judge(): void {
    if (this.#header.length < imageHeaderCharacters) this.#judgeHeader();
    if (!this.#base64.isComplete) throw invalidResponse('the base64 of an image is cut, or not padded as it must be');
  }

  #judgeHeader(): void {
    const mediaType = base64MediaType(this.#header.toString('latin1'));
    if (mediaType === undefined) throw invalidResponse('the bytes are not an image');
  }
}

/** White space and control characters are in no URL, and a parser of URLs would leave some of them out. */
const webLink = /^https?:\/\/[^\s\p{Cc}]+$/iu;

/**
 * The link to an image in a member of an upstream's response; `undefined` when the member is empty. Throws
 * `upstream_invalid_response` for what a caller must not follow: other schemes (`javascript:`, `file:`, `data:`), and
 * credentials, with which `fetch` refuses a URL.
 */
export function imageLink(member: unknown): string | undefined {
  const link = typeof member === 'string' ? member.trim() : '';
  if (link === '') return undefined;
  const url = webLink.test(link) ? URL.parse(link) : null;
  if (url === null || url.username !== '' || url.password !== '') throw invalidResponse('a link is not of the web');
  return link;
}

export type ResponseSummary = {
  readonly created?: number;
  readonly usage?: ImageUsage;
  readonly facts?: ImageFacts;
};

/**
 * What a response or an event says beside its images, by its wire names; empty values and values of an unexpected type are
 * left out. Usage that is not whole numbers is told to `recorder`.
 */
export function responseSummary(members: Readonly<Record<string, unknown>>, recorder?: Recorder): ResponseSummary {
  const { created } = members;
  let isOdd = false;
  const usage = wholeUsage(members.usage, () => {
    isOdd = true;
  });
  if (isOdd) recorder?.anomaly('usage_not_whole');
  const facts: Record<string, string> = {};
  for (const [name, wireName] of factNames) {
    const value = members[wireName];
    if (typeof value === 'string' && value !== '') facts[name] = value;
  }
  return {
    ...(typeof created === 'number' && Number.isSafeInteger(created) && created > 0 && { created }),
    ...(usage && { usage }),
    ...(Object.keys(facts).length > 0 && { facts }),
  };
}

const factNames: readonly [keyof ImageFacts, string][] = [
  ['size', 'size'],
  ['quality', 'quality'],
  ['background', 'background'],
  ['outputFormat', 'output_format'],
];

/**
 * The token counts in an upstream's `usage`: its members that are whole numbers, also those of objects in it; `undefined`
 * where there are none. Whatever else it says is left out, and `noteOther` is called.
 */
function wholeUsage(usage: unknown, noteOther: () => void): ImageUsage | undefined {
  if (typeof usage !== 'object' || usage === null || Array.isArray(usage)) {
    if (hasContent(usage)) noteOther();
    return undefined;
  }
  const counts: [string, unknown][] = [];
  for (const [name, value] of Object.entries(usage)) {
    const isCount = Number.isSafeInteger(value) && value >= 0;
    const count = isCount ? value : wholeUsage(value, noteOther);
    if (count !== undefined) counts.push([name, count]);
  }
  return counts.length === 0 ? undefined : Object.fromEntries(counts);
}
