import type { JsonPath, JsonShape, ScanToken } from '../../codec/json-scanner.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { ProviderCall } from '../../domain/image-provider.ts';
import { maxImages } from '../../domain/image-request.ts';
import { invalidResponse, paidCallError } from '../../upstream/paid-call-error.ts';
import { errorInItem, errorInSuccess } from './azure-error.ts';
import { ImageCheck, imageLink, responseSummary } from './image-values.ts';
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
    reader.end();
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
        if (this.#isAtText) yield this.#beginImage();
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

  #beginImage(): ImageEvent {
    if (this.#item.image) throw invalidResponse('an item holds two images');
    // An image that was made is not bought again because of a failure beside it.
    if (this.#failure !== undefined) throw errorInItem(this.#failure);
    this.#isAtText = false;
    this.#item.image = new ImageCheck();
    return { type: 'image', index: this.images, isPartial: false };
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

  /** Throws what a response without an image means. */
  end(): void {
    if (this.images > 0) return;
    throw this.#failure === undefined ? invalidResponse('the response holds no image') : errorInSuccess(this.#failure);
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
