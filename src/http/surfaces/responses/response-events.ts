import { GatewayError } from '../../../domain/gateway-error.ts';
import type { ImageEnd, ImageEvent, ImageFacts } from '../../../domain/image-event.ts';
import type { StoredImage } from '../../../domain/image-store.ts';
import { errorBody } from '../../error-response.ts';
import type { EventText } from '../../event-stream.ts';
import type { Written } from '../openai-images/write-json.ts';
import { SeenHeader, shownFacts } from '../shown-facts.ts';
import {
  beginningCall,
  callAround,
  callId,
  type EndedImage,
  type ResponseFacts,
  responseAround,
  responseError,
  responseObject,
} from './response-object.ts';

/** Reads a stored image once more, as base64 text. */
export type ReadAgain = (stored: StoredImage) => AsyncIterable<Buffer>;

export type ResponseStreamParts = {
  readonly facts: ResponseFacts;
  /** What the upstream was asked for: known with the first image. */
  readonly asked: () => ImageFacts;
  readonly readAgain: ReadAgain;
  readonly written: Written;
  readonly toError: (error: unknown) => GatewayError;
  /** The number of the last event that the client has; `undefined`: it has none. */
  readonly startingAfter?: number | undefined;
};

const call = 'response.image_generation_call';
const failed = 'response.failed';

/** Every stream begins with as many events before its first image. */
const beginningEvents = 5;

/** An event with an image that is being written. */
type OpenEvent = {
  /** Ends the values around the image, up to the outermost object. */
  readonly closing: string;
  /** The client has it already, or cannot have it: it is read, and not written. */
  readonly isSkipped: boolean;
};

type Beginning = Pick<OpenEvent, 'closing'> & { readonly text: string; readonly isLeftOut?: boolean };

/**
 * An image as the text of OpenAI's event stream of a response, piece by piece. Each event is one `data:` line with a number. A
 * stream that is read again has the same numbers, and leaves partial images out, which are not kept. It ends with
 * `response.completed` or `response.failed`. Throws `job_not_completed` when the job goes on without it.
 */
export class ResponseEvents implements EventText {
  readonly #events: AsyncIterable<ImageEvent>;
  readonly #parts: ResponseStreamParts;
  /** The number of the next event. */
  #next = 0;
  #open: OpenEvent | undefined;
  #isPartial = false;
  /** Whether it is known how many partial images there were: only files may be left of a response. */
  #isCounted = true;
  #header = new SeenHeader();
  /** The end of the final image, about which the end of the response may say more. */
  #end: ImageEnd | undefined;

  constructor(events: AsyncIterable<ImageEvent>, parts: ResponseStreamParts) {
    this.#events = events;
    this.#parts = parts;
  }

  get isInEvent(): boolean {
    return this.#open?.isSkipped === false;
  }

  async *text(): AsyncGenerator<Buffer | string> {
    try {
      yield* this.#begin();
      for await (const event of this.#events) yield* this.#write(event);
    } catch (error) {
      // It has not failed: the connection is closed, and the client goes on behind the last event that it has.
      if (error instanceof GatewayError && error.kind === 'job_not_completed') throw error;
      // An image that is complete stays one, whatever comes after it.
      if (this.#end !== undefined) yield* this.#endCall(this.#image(this.#end));
      yield* this.#fail(this.#parts.toError(error));
    }
  }

  /** What is the same for every response, whatever becomes of it. */
  *#begin(): Generator<string> {
    const { facts } = this.#parts;
    const response = responseObject(facts, { status: 'in_progress' });
    yield* this.#event('response.created', { response });
    yield* this.#event('response.in_progress', { response });
    yield* this.#event('response.output_item.added', { output_index: 0, item: beginningCall(facts.job) });
    yield* this.#event(`${call}.in_progress`, this.#place);
    yield* this.#event(`${call}.generating`, this.#place);
  }

  async *#write(event: ImageEvent): AsyncGenerator<Buffer | string> {
    if (event.type === 'image') yield* event.isPartial ? this.#beginPartial() : this.#beginCall(event.partials);
    else if (event.type === 'bytes') {
      this.#header.add(event.chunk);
      if (this.isInEvent) yield event.chunk;
    } else if (event.type === 'image-end') {
      if (this.#isPartial) yield* this.#endPartial(event);
      else this.#end = event;
    } else if (event.type === 'done' && this.#end !== undefined) {
      yield* this.#complete(this.#image(this.#end, event));
    }
  }

  *#beginPartial(): Generator<string> {
    this.#header = new SeenHeader();
    this.#isPartial = true;
    const isLeftOut = this.#parts.startingAfter !== undefined;
    const text = `${JSON.stringify(this.#place).slice(1, -1)},"partial_image_b64":"`;
    yield* this.#beginEvent(`${call}.partial_image`, { text, closing: '"', isLeftOut });
  }

  *#endPartial({ facts = {}, partialIndex }: ImageEnd): Generator<string> {
    const shown = shownFacts(facts, this.#parts.asked(), this.#header);
    yield* this.#endEvent(`",${JSON.stringify({ partial_image_index: partialIndex, ...shown }).slice(1)}`);
  }

  /** @param partials how many partial images came before, some of which this reader may not have had */
  *#beginCall(partials: number | undefined): Generator<string> {
    this.#header = new SeenHeader();
    this.#isPartial = false;
    if (partials !== undefined) this.#next = beginningEvents + partials;
    this.#isCounted = partials !== undefined || !asksForPartials(this.#parts.facts);
    yield* this.#event(`${call}.completed`, this.#place);
    const text = `"output_index":0,"item":${callAround(this.#parts.facts).before}"`;
    yield* this.#beginEvent('response.output_item.done', { text, closing: '"}' });
  }

  *#endCall(image: EndedImage): Generator<string> {
    this.#end = undefined;
    if (this.isInEvent) this.#parts.written.images += 1;
    yield* this.#endEvent(`"${callAround(this.#parts.facts).after(image)}}`);
  }

  /** The whole response, for which its image is read a second time. */
  async *#complete(image: EndedImage): AsyncGenerator<Buffer | string> {
    const { facts, readAgain, startingAfter } = this.#parts;
    yield* this.#endCall(image);
    if (!this.#isCounted) this.#skipTo(startingAfter);
    const { before, after } = responseAround(facts);
    const { stored } = image.end;
    yield* this.#beginEvent('response.completed', { text: `"response":${before}`, closing: '"}]}' });
    if (!this.isInEvent) return;
    if (stored === undefined) yield 'null';
    else {
      yield '"';
      yield* readAgain(stored);
      yield '"';
    }
    yield* this.#endEvent(`${after(image)}}`);
  }

  /**
   * In the middle of an image, the image's own event becomes the failure: for JSON the last of two equal members counts, for
   * event streams the last name.
   */
  *#fail(error: GatewayError): Generator<string> {
    const { facts, startingAfter } = this.#parts;
    const response = responseObject(facts, endOf(error));
    if (this.#open !== undefined && this.isInEvent) {
      yield `${this.#open.closing},${JSON.stringify({ type: failed, response }).slice(1)}\nevent: ${failed}\n\n`;
    } else {
      this.#skipTo(startingAfter);
      yield* this.#event(failed, { response });
    }
    this.#open = undefined;
  }

  /** No client that resumes misses the end: partial images, which may not be known any more, have had numbers as well. */
  #skipTo(startingAfter = -1): void {
    this.#next = Math.max(this.#next, startingAfter + 1);
  }

  /** A whole event. */
  *#event(type: string, members: Record<string, unknown>): Generator<string> {
    yield* this.#beginEvent(type, { text: JSON.stringify(members).slice(1, -1), closing: '' });
    yield* this.#endEvent('}');
  }

  *#beginEvent(type: string, { text, closing, isLeftOut = false }: Beginning): Generator<string> {
    const number = this.#next;
    this.#next += 1;
    this.#open = { closing, isSkipped: isLeftOut || number <= (this.#parts.startingAfter ?? -1) };
    if (this.isInEvent) yield `event: ${type}\ndata: {"type":"${type}","sequence_number":${number},${text}`;
  }

  *#endEvent(text: string): Generator<string> {
    const isWritten = this.isInEvent;
    this.#open = undefined;
    if (isWritten) yield `${text}\n\n`;
  }

  #image(end: ImageEnd, summary?: Extract<ImageEvent, { type: 'done' }>): EndedImage {
    return { end, summary, asked: this.#parts.asked(), header: this.#header };
  }

  /** Of the one output item. */
  get #place(): Record<string, unknown> {
    return { item_id: callId(this.#parts.facts.job), output_index: 0 };
  }
}

function asksForPartials({ echo: { tools } }: ResponseFacts): boolean {
  const [tool] = Array.isArray(tools) ? (tools as readonly { readonly partial_images?: number }[]) : [];
  return (tool?.partial_images ?? 0) > 0;
}

/** There is no event of its own for a response that was cancelled. */
function endOf(error: GatewayError): Parameters<typeof responseObject>[1] {
  if (error.kind === 'job_cancelled') return { status: 'cancelled' };
  return { status: 'failed', error: responseError(errorBody(error).error) };
}
