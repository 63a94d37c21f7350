import { JsonScanner, type JsonShape, type ScanToken } from '../../codec/json-scanner.ts';
import { type SsePart, SseReader } from '../../codec/sse-reader.ts';
import type { ImageEnd, ImageEvent } from '../../domain/image-event.ts';
import type { OpenInputStore } from '../../domain/image-input.ts';
import type { ProviderCall } from '../../domain/image-provider.ts';
import type { Recorder } from '../../domain/recorder.ts';
import { invalidResponse, paidCallError, unfinishedStream } from '../../upstream/paid-call-error.ts';
import { errorInItem, errorInSuccess } from './azure-error.ts';
import { errorMembers } from './azure-error-facts.ts';
import { ImageCheck, imageLink, responseSummary } from './image-events.ts';
import { beginsObject, hasContent } from './json-values.ts';
import { inBatches } from './read-response.ts';
import { decideImages, type StreamToken } from './undecided-images.ts';

/**
 * The images of an image stream from its bytes, partial images included. Ends with the last of `count` completed images,
 * whatever follows. Throws a GatewayError for an error event, for a stream that ends before, and for what is no stream.
 */
export function streamEvents(
  body: AsyncIterable<Buffer>,
  count: number,
  call: ProviderCall,
  openInputs: OpenInputStore,
): AsyncGenerator<ImageEvent> {
  return decideImages(streamTokens(body, count, call), openInputs);
}

async function* streamTokens(
  body: AsyncIterable<Buffer>,
  count: number,
  call: ProviderCall,
): AsyncGenerator<StreamToken> {
  const reader = new SseReader();
  const images = new ImageStream(count, call.recorder);
  try {
    for await (const chunk of body) {
      yield* images.read(reader.push(chunk));
      if (images.isComplete) break;
    }
    if (!images.isComplete) yield* images.read(reader.end());
    if (!images.isComplete)
      throw images.hasEmptyEvent ? invalidResponse('an event holds no image') : unfinishedStream();
  } catch (error) {
    throw paidCallError(error, call.attempt);
  }
  const { created, usage, facts } = images.last ?? {};
  yield { type: 'done', ...(created && { created }), ...(usage && { usage }), ...(facts && { facts }) };
}

class ImageStream {
  readonly #count: number;
  readonly #recorder: Recorder;
  completed = 0;
  last: ImageEnd | undefined;
  /** A completed event had no image; a later one may have it. */
  hasEmptyEvent = false;
  #name = '';
  #event: StreamEvent | undefined;

  constructor(count: number, recorder: Recorder) {
    this.#count = count;
    this.#recorder = recorder;
  }

  get isComplete(): boolean {
    return this.completed >= this.#count;
  }

  read(parts: readonly SsePart[]): Generator<StreamToken> {
    return inBatches(parts, (part) => this.#take(part), ['dispatch']);
  }

  *#take(part: SsePart): Generator<StreamToken> {
    if (this.isComplete) return;
    if (part.type === 'name') {
      this.#name = part.name;
    } else if (part.type === 'data') {
      this.#event ??= new StreamEvent(this.completed, this.#name, this.#recorder);
      yield* this.#event.read(part.bytes);
    } else {
      yield* this.#endEvent();
    }
  }

  *#endEvent(): Generator<StreamToken> {
    const end = this.#event === undefined ? undefined : yield* this.#event.end();
    if (this.#event?.isCompleted) {
      if (end === undefined) this.hasEmptyEvent = true;
      else this.completed += 1;
      this.last = end ?? this.last;
    }
    this.#event = undefined;
    this.#name = '';
  }
}

/** The members of an image stream's events; those of error events, in both of their shapes, are among them. */
const shape: JsonShape = {
  members: {
    type: 'keep',
    b64_json: 'stream',
    url: 'keep',
    partial_image_index: 'keep',
    created_at: 'keep',
    usage: 'keep',
    size: 'keep',
    quality: 'keep',
    background: 'keep',
    output_format: 'keep',
    ...errorMembers,
  },
};

type Kind = 'partial' | 'completed' | 'error' | 'other';

/** One event of an image stream while its data arrives: a partial image, a completed image, an error, or of no interest. */
class StreamEvent {
  readonly #index: number;
  readonly #recorder: Recorder;
  readonly #scanner = new JsonScanner(shape);
  readonly #members: Record<string, unknown> = {};
  #kind: Kind | undefined;
  #isObject: boolean | undefined;
  /** A text has begun; it is an image once there is a first piece of it. */
  #isAtText = false;
  #image: ImageCheck | undefined;
  /** The image began before anything said what it is. */
  #isUndecided = false;
  /** Why an undecided image is none, which matters only if it is to be one. */
  #damage: unknown;

  /** `index`: of the image that this event may belong to. `name`: what its `event:` line says, if it has one. */
  constructor(index: number, name: string, recorder: Recorder) {
    this.#index = index;
    this.#kind = kindOf(name);
    this.#recorder = recorder;
  }

  get isCompleted(): boolean {
    return this.#kind === 'completed';
  }

  *read(data: Buffer): Generator<StreamToken> {
    // What is no object (`[DONE]`) is no event of ours.
    this.#isObject ??= beginsObject(data);
    if (!this.#isObject || this.#kind === 'other') return;
    for (const token of this.#scanner.push(data)) yield* this.#take(token);
  }

  /**
   * The event's data is complete. Returns what is known of its image, if it has one. Throws a GatewayError for an error
   * event, and MalformedJsonError.
   */
  *end(): Generator<StreamToken, ImageEnd | undefined> {
    if (!this.#isObject) return undefined;
    if (this.#kind !== 'other') yield* this.#readEnd();
    if (this.#isUndecided) yield { type: 'decided', isPartial: this.#isImage ? !this.isCompleted : undefined };
    return this.#isImage ? yield* this.#endImage() : undefined;
  }

  *#readEnd(): Generator<StreamToken> {
    for (const token of this.#scanner.end()) yield* this.#take(token);
    const { error, ...flat } = this.#members;
    if (hasContent(error) && (this.#image || imageLink(this.#members.url))) throw errorInItem(error);
    if (this.#kind === 'error' || hasContent(error)) throw errorInSuccess(hasContent(error) ? error : flat);
    if (!this.#isImage) return;
    if (this.#damage !== undefined) throw this.#damage;
    this.#image?.judge();
  }

  *#take(token: ScanToken): Generator<StreamToken> {
    if (token.type === 'value') {
      const name = String(token.path[0]);
      this.#members[name] = token.value;
      if (name === 'type' && typeof token.value === 'string') this.#kind ??= kindOf(token.value);
    } else if (token.type === 'text') {
      this.#isAtText = true;
    } else if (token.type === 'piece' && this.#kind !== 'other') {
      if (this.#isAtText) yield this.#beginImage();
      this.#check(token.bytes);
      yield { type: 'bytes', chunk: token.bytes };
    } else if (token.type === 'dropped') {
      this.#recorder.anomaly('value_dropped');
    }
  }

  #beginImage(): StreamToken {
    if (this.#image) throw invalidResponse('an event holds two images');
    this.#isAtText = false;
    this.#image = new ImageCheck();
    this.#isUndecided = !this.#isImage;
    return this.#isUndecided
      ? { type: 'undecided', index: this.#index }
      : { type: 'image', index: this.#index, isPartial: this.#kind === 'partial' };
  }

  #check(bytes: Buffer): void {
    try {
      if (this.#damage === undefined) this.#image?.add(bytes);
    } catch (error) {
      if (!this.#isUndecided) throw error;
      this.#damage = error;
    }
  }

  get #isImage(): boolean {
    return this.#kind === 'partial' || this.#kind === 'completed';
  }

  *#endImage(): Generator<StreamToken, ImageEnd | undefined> {
    const end = this.#imageEnd();
    if (this.#image) {
      yield end;
      return end;
    }
    // Base64 is what streams are documented to carry; for a completed image a link is as good as that.
    const url = this.isCompleted ? imageLink(this.#members.url) : undefined;
    if (url === undefined) return undefined;
    yield { type: 'url', index: this.#index, url };
    return end;
  }

  #imageEnd(): ImageEnd {
    const { partial_image_index: partialIndex, created_at: created } = this.#members;
    const isNumbered =
      this.#kind === 'partial' && typeof partialIndex === 'number' && Number.isSafeInteger(partialIndex);
    return {
      type: 'image-end',
      index: this.#index,
      ...(isNumbered && { partialIndex }),
      ...responseSummary({ ...this.#members, created }, this.#recorder),
    };
  }
}

/**
 * Generations and edits name their events alike: `image_generation.completed`, `image_edit.completed`. An event stream's
 * own name for every event, `message`, says nothing.
 */
function kindOf(type: string): Kind | undefined {
  if (type === '' || type === 'message') return undefined;
  if (type.endsWith('.partial_image')) return 'partial';
  if (type.endsWith('.completed')) return 'completed';
  return type === 'error' || type.endsWith('.failed') ? 'error' : 'other';
}
