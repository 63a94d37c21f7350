import type { FastifyReply } from 'fastify';
import type { GatewayError } from '../../../domain/gateway-error.ts';
import type { GenerationReader } from '../../../domain/generation-reader.ts';
import type { ImageEnd, ImageEvent, ImageFacts } from '../../../domain/image-event.ts';
import type { ImageRequest, Operation } from '../../../domain/image-request.ts';
import { operationOf } from '../../../parameters/plan.ts';
import { asGatewayError, errorBody } from '../../error-response.ts';
import { defaultHeartbeatMs, heartbeatText, sendEvents, streamHeaders, whenKnown } from '../../event-stream.ts';
import { generationHeaders } from '../../gateway-headers.ts';
import { SeenHeader, shownFacts } from '../shown-facts.ts';
import { clientUsage, type Written } from './write-json.ts';

type StreamTimes = {
  /** So long the headers wait for the outcome, so that an early failure is an ordinary error response. */
  readonly headersMs: number;
  readonly heartbeatMs: number;
};

const defaultTimes: StreamTimes = { headersMs: 45_000, heartbeatMs: defaultHeartbeatMs };

/** Writes a generation's images as an event stream. Rejects with the generation's error while that can be an error response. */
export async function writeStream(
  reader: GenerationReader,
  reply: FastifyReply,
  asked: ImageRequest,
  { headersMs, heartbeatMs }: StreamTimes = defaultTimes,
): Promise<void> {
  const { record } = reply.request;
  const isKnown = await settledWithin(reader.events, headersMs);
  reply.headers({ ...generationHeaders(reader.report, reply.request), ...streamHeaders });
  const stream = new ImagesEventStream(whenKnown(reader.events), {
    operation: operationOf(asked),
    asked: reader.report.asked,
    written: record,
    toError: (error) => {
      record.error = error;
      return asGatewayError(error, record.requestId);
    },
  });
  await sendEvents(reader, reply, stream, { heartbeatMs, ...(!isKnown && { beginning: heartbeatText }) });
}

/** False when `ms` were not enough; rejects with what the promise rejects with. */
async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timeout = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => timeout.resolve(false), ms);
  try {
    return await Promise.race([promise.then(() => true), timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

type StreamParts = {
  readonly operation: Operation;
  readonly asked: ImageFacts;
  readonly written: Written;
  readonly toError: (error: unknown) => GatewayError;
};

/**
 * Images as the text of OpenAI's image stream (`image_generation.partial_image` and `.completed`, or `image_edit.…`), piece
 * by piece. Each image is one `data:` line whose other members follow the image, because that is when they are known. It
 * ends with a completed image or with an `error` event; nothing is thrown.
 */
export class ImagesEventStream {
  readonly #name: string;
  readonly #events: AsyncIterable<ImageEvent>;
  readonly #asked: ImageFacts;
  readonly #written: Written;
  readonly #toError: (error: unknown) => GatewayError;
  /** The beginning of the image that is being written, as base64. */
  #header = new SeenHeader();
  #isInImage = false;
  #isPartial = false;
  /** The end of a completed image, about which the end of the response may say more. */
  #unfinished: ImageEnd | undefined;

  constructor(events: AsyncIterable<ImageEvent>, { operation, asked, written, toError }: StreamParts) {
    this.#name = operation === 'edit' ? 'image_edit' : 'image_generation';
    this.#events = events;
    this.#asked = asked;
    this.#written = written;
    this.#toError = toError;
  }

  /** False between two events, where a comment may stand. */
  get isInEvent(): boolean {
    return this.#isInImage;
  }

  async *text(): AsyncGenerator<Buffer | string> {
    try {
      for await (const event of this.#events) yield* this.#write(event);
    } catch (error) {
      // An image that is complete stays one, whatever comes after it.
      yield* this.#finish();
      yield this.#errorEvent(this.#toError(error));
    }
  }

  *#write(event: ImageEvent): Generator<Buffer | string> {
    if (event.type === 'bytes') {
      this.#header.add(event.chunk);
      yield event.chunk;
    } else if (event.type === 'image') {
      yield* this.#finish();
      const type = `${this.#name}.${event.isPartial ? 'partial_image' : 'completed'}`;
      this.#isInImage = true;
      this.#isPartial = event.isPartial;
      this.#header = new SeenHeader();
      yield `event: ${type}\ndata: {"type":"${type}","b64_json":"`;
    } else if (event.type === 'image-end') {
      this.#unfinished = event;
      if (this.#isPartial || event.facts !== undefined) yield* this.#finish();
    } else if (event.type === 'done') {
      yield* this.#finish(event);
    }
  }

  /** Closes the image that is being written, with everything that is known by now. */
  *#finish(summary: Omit<ImageEnd, 'type' | 'index'> | Extract<ImageEvent, { type: 'done' }> = {}): Generator<string> {
    const end = this.#unfinished;
    if (end === undefined) return;
    this.#unfinished = undefined;
    this.#isInImage = false;
    if (!this.#isPartial) this.#written.images += 1;
    const members = {
      created_at: end.created ?? summary.created ?? Math.floor(Date.now() / 1000),
      ...shownFacts(end.facts ?? summary.facts ?? {}, this.#asked, this.#header),
      partial_image_index: end.partialIndex,
      revised_prompt: end.revisedPrompt,
      usage: clientUsage(end.usage ?? summary.usage),
    };
    yield `",${JSON.stringify(members).slice(1)}\n\n`;
  }

  /**
   * The `error` event with the same nested body as an error response. In the middle of an image, the image's own event
   * becomes it: for JSON the last of two equal members counts, for event streams the last name.
   */
  #errorEvent(error: GatewayError): string {
    const { error: body } = errorBody(error);
    if (!this.#isInImage) return `event: error\ndata: ${JSON.stringify({ error: body })}\n\n`;
    this.#isInImage = false;
    return `","type":"error","error":${JSON.stringify(body)}}\nevent: error\n\n`;
  }
}
