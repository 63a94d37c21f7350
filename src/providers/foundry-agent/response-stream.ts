import { JsonScanner, type JsonShape, type ScanToken } from '../../codec/json-scanner.ts';
import { type SsePart, SseReader } from '../../codec/sse-reader.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import { invalidResponse, unfinishedStream } from '../../upstream/paid-call-error.ts';
import { errorInSuccess } from '../azure/azure-error.ts';
import { errorMembers } from '../azure/azure-error-facts.ts';
import { ImageCheck, responseSummary } from '../azure/image-events.ts';
import { beginsObject, hasContent } from '../azure/json-values.ts';
import { inBatches } from '../azure/read-response.ts';
import { definite, itemShape, type ResponseContext, ResponseReader, responseShape } from './response-reader.ts';

/** After its image the chat model usually says a few words, which nobody waits for longer. */
const lastWordsMs = 5_000;

/**
 * The images of a streamed response, partial images included. Throws a GatewayError for an error event, for a response that
 * ends without an image, and for a stream that ends before; an image that is complete stays one, whatever follows it.
 * @param giveUp closes the body
 */
export async function* responseStream(
  body: AsyncIterable<Buffer>,
  context: ResponseContext,
  giveUp: () => void,
): AsyncGenerator<ImageEvent> {
  const sse = new SseReader();
  const stream = new ResponseStreamReader(context);
  const handedOn = new HandedOn();
  let silence: NodeJS.Timeout | undefined;
  try {
    for await (const chunk of body) {
      clearTimeout(silence);
      yield* handedOn.pass(stream.read(sse.push(chunk)));
      if (stream.isComplete) break;
      if (handedOn.isSettled) silence = setTimeout(giveUp, lastWordsMs);
    }
    if (!stream.isComplete) yield* handedOn.pass(stream.read(sse.end()));
    if (!stream.isComplete) throw unfinishedStream();
  } catch (error) {
    if (!handedOn.isSettled) throw error;
  } finally {
    clearTimeout(silence);
  }
  yield stream.done();
}

/** Knows what has left the reader: an event that breaks takes back what it has brought, although the reader counts it. */
class HandedOn {
  #images = 0;
  #begun: { readonly isPartial: boolean } | undefined;

  /** Whether there is an image, and none has begun behind it. */
  get isSettled(): boolean {
    return this.#images > 0 && this.#begun === undefined;
  }

  *pass(events: Iterable<ImageEvent>): Generator<ImageEvent> {
    for (const event of events) {
      if (event.type === 'image') this.#begun = event;
      yield event;
      if (event.type !== 'image-end') continue;
      if (!this.#begun?.isPartial) this.#images += 1;
      this.#begun = undefined;
    }
  }
}

/** The members of all events that matter: partial images, finished items, whole responses, errors. */
const eventShape: JsonShape = {
  members: {
    type: 'keep',
    partial_image_b64: 'stream',
    partial_image_index: 'keep',
    size: 'keep',
    quality: 'keep',
    background: 'keep',
    output_format: 'keep',
    item: itemShape,
    part: { members: { type: 'keep' } },
    response: responseShape,
    ...errorMembers,
  },
};

const lastEvents: readonly string[] = [
  'response.completed',
  'response.failed',
  'response.incomplete',
  'response.cancelled',
];

const callEvents = 'response.image_generation_call.';
const partialEvent = `${callEvents}partial_image`;
const refusalEvents = 'response.refusal.';
const itemEvent = 'response.output_item.done';

/** An event while its data arrives. */
type OpenEvent = {
  name: string;
  readonly members: Record<string, unknown>;
  /** How many images were complete when it began. */
  readonly imagesBefore: number;
  /** `undefined` as long as its data is blank. */
  isObject?: boolean | undefined;
  scanner?: JsonScanner;
  partial?: ImageCheck;
  /** A partial image has begun, of which nothing has come yet: an empty one is none. */
  isPartialAhead?: boolean;
};

/** Reads the events of a streamed response. What an event says about itself may come after its image. */
class ResponseStreamReader {
  readonly #context: ResponseContext;
  readonly #response: ResponseReader;
  #event: OpenEvent = { name: '', members: {}, imagesBefore: 0 };
  /** The event that was the last one. */
  #end: string | undefined;

  constructor(context: ResponseContext) {
    this.#context = context;
    this.#response = new ResponseReader(context);
  }

  /** True once the stream has said all that it has to say. */
  get isComplete(): boolean {
    return this.#end !== undefined;
  }

  /** Throws a GatewayError for an error event that brings no image, and MalformedJsonError. */
  read(parts: readonly SsePart[]): Generator<ImageEvent> {
    return inBatches(
      parts,
      (part) => this.#takePart(part),
      // An image that is complete counts as made: what breaks its event behind it must not take it along.
      ['dispatch', 'image-end'],
    );
  }

  *#takePart(part: SsePart): Generator<ImageEvent> {
    if (this.isComplete) return;
    if (part.type === 'name') this.#event.name = part.name;
    else if (part.type === 'data') yield* this.#readData(part.bytes);
    else yield* this.#endEvent();
  }

  done(): ImageEvent {
    return this.#response.done(this.#end?.slice('response.'.length));
  }

  *#readData(data: Buffer): Generator<ImageEvent> {
    const event = this.#event;
    // What is no object (`[DONE]`) is no event of ours.
    event.isObject ??= beginsObject(data);
    if (!event.isObject) return;
    if (!event.scanner) {
      event.scanner = new JsonScanner(eventShape);
      // The last event repeats the images that finished items have brought.
      this.#response.beginAgain();
    }
    for (const token of event.scanner.push(data)) yield* this.#take(token);
  }

  *#endEvent(): Generator<ImageEvent> {
    const event = this.#event;
    for (const token of event.scanner?.end() ?? []) yield* this.#take(token);
    const type = this.#type;
    const partial = event.partial && this.#endPartial(event.partial);
    this.#event = { name: '', members: {}, imagesBefore: this.#response.images };
    if (!event.isObject) return;
    const { error, ...flat } = event.members;
    const hasImage = this.#response.images > event.imagesBefore;
    if (!hasImage && (type === 'error' || hasContent(error)))
      throw errorInSuccess(hasContent(error) ? error : flat, this.#context.parameter);
    if (partial) yield partial;
    if (String(type).startsWith(callEvents)) this.#response.noteCall();
    // Of a content part only its type is kept.
    if (String(type).startsWith(refusalEvents) || event.members.part === 'refusal') this.#response.noteRefusal();
    this.#end = lastEvents.find((last) => last === type);
  }

  *#take(token: ScanToken): Generator<ImageEvent> {
    if (!('path' in token)) {
      yield* this.#takeText(token);
      return;
    }
    const [member, ...rest] = token.path;
    if (member === 'response') yield* this.#response.take({ ...token, path: rest });
    else if (member === 'item') yield* this.#takeItem(token, rest);
    else if (token.type === 'text') this.#event.isPartialAhead = this.#mayBe(partialEvent);
    else if (token.type === 'value') this.#event.members[String(member)] = token.value;
  }

  /** A finished item is read as if it stood in the response's output, where it will stand in the end. */
  *#takeItem(token: ScanToken & { path: unknown }, rest: readonly (string | number)[]): Generator<ImageEvent> {
    if (!this.#mayBe(itemEvent)) return;
    if (this.#event.partial) throw invalidResponse('an event holds two images');
    yield* this.#response.take({ ...token, path: ['output', 0, ...rest] } as ScanToken);
  }

  /** A piece of a text, or its end. */
  *#takeText(token: Extract<ScanToken, { type: 'piece' | 'text-end' }>): Generator<ImageEvent> {
    if (token.type === 'piece' && this.#event.isPartialAhead) yield* this.#beginPartial();
    this.#event.isPartialAhead = false;
    if (token.type === 'text-end' || !this.#event.partial) {
      yield* this.#response.take(token);
      return;
    }
    this.#event.partial.add(token.bytes);
    yield { type: 'bytes', chunk: token.bytes };
  }

  *#beginPartial(): Generator<ImageEvent> {
    if (this.#event.partial) throw invalidResponse('an event holds two images');
    this.#event.partial = new ImageCheck();
    yield { type: 'image', index: this.#response.images, isPartial: true };
  }

  /** By its data, or else by its `event:` line; empty as long as neither has said anything. */
  get #type(): unknown {
    return this.#event.members.type || this.#event.name;
  }

  #mayBe(type: string): boolean {
    return this.#type === type || this.#type === '';
  }

  #endPartial(image: ImageCheck): ImageEvent {
    image.judge();
    const { partial_image_index: partialIndex } = this.#event.members;
    return {
      type: 'image-end',
      index: this.#response.images,
      ...(typeof partialIndex === 'number' && { partialIndex }),
      facts: responseSummary(definite(this.#event.members)).facts ?? {},
    };
  }
}
