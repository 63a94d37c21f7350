import { type JsonShape, type ScanToken, scanJson } from '../../codec/json-scanner.ts';
import { equalFacts, type ImageEvent, type ImageFacts } from '../../domain/image-event.ts';
import { maxImages } from '../../domain/image-request.ts';
import type { Recorder } from '../../domain/recorder.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import type { ParameterNames } from '../azure/azure-error-facts.ts';
import { ImageCheck, responseSummary } from '../azure/image-events.ts';
import { hasContent } from '../azure/json-values.ts';
import { inBatches } from '../azure/read-response.ts';
import { type EmptyResponse, responseFailure } from './response-failure.ts';

/** What the reading of a response depends on beside its bytes. */
export type ResponseContext = {
  readonly recorder: Recorder;
  /** What callers call a parameter that the response complains of. */
  readonly parameter: ParameterNames;
  readonly isPolled?: boolean;
};

/** The parts of an output item that matter; of messages it is whether the chat model refuses. */
export const itemShape: JsonShape = {
  members: {
    id: 'keep',
    type: 'keep',
    status: 'keep',
    content: { items: { members: { type: 'keep' } } },
    result: 'stream',
    error: 'keep',
    revised_prompt: 'keep',
    size: 'keep',
    quality: 'keep',
    background: 'keep',
    output_format: 'keep',
  },
};

/** The parts of a response that matter; its instructions, which may be long, and its usage, which is the chat model's, do not. */
export const responseShape: JsonShape = {
  members: {
    id: 'keep',
    created_at: 'keep',
    status: 'keep',
    error: 'keep',
    incomplete_details: 'keep',
    output: { items: itemShape },
  },
};

const imageCall = 'image_generation_call';

/** Takes the images out of the tokens of a response. Paths are those of {@link responseShape}. */
export class ResponseReader {
  readonly #context: ResponseContext;
  #members: Record<string, unknown> = {};
  #item: Record<string, unknown> = {};
  #image: ImageCheck | undefined;
  /** A result has begun, of which nothing has come yet: an empty one is none. */
  #isResultAhead = false;
  #toolCall: EmptyResponse['call'] = 'none';
  #callError: unknown;
  #isRefused = false;
  #facts: ImageFacts = {};
  readonly #taken = new Set<unknown>();
  #repeats = false;
  /** How many images are complete. */
  images = 0;

  constructor(context: ResponseContext) {
    this.#context = context;
  }

  /** Tokens of another event follow, which may repeat what earlier ones have said. */
  beginAgain(): void {
    const { id, created_at } = this.#members;
    this.#members = { id, created_at };
    this.#repeats = this.images > 0;
  }

  /** The image tool was called: what it has made may be billed, even if it does not come. */
  noteCall(): void {
    if (this.#toolCall === 'none') this.#toolCall = 'made';
  }

  /** The chat model has refused, in a part that is made for it. */
  noteRefusal(): void {
    this.#isRefused = true;
  }

  /** Throws a GatewayError for what is no image, and for too many of them. */
  *take(token: ScanToken): Generator<ImageEvent> {
    if (token.type === 'piece') {
      yield* this.#takePiece(token.bytes);
    } else if (token.type === 'text' || token.type === 'text-end') {
      this.#isResultAhead = token.type === 'text';
    } else if (token.type === 'value') {
      const [member, , name] = token.path;
      if (token.path.length === 1) this.#members[String(member)] = token.value;
      else if (token.path.length === 3) this.#item[String(name)] = token.value;
      else if (token.value === 'refusal') this.noteRefusal();
    } else if (token.type === 'close' && token.path.length === 2) {
      yield* this.#endItem();
    } else if (token.type === 'dropped') {
      this.#context.recorder.anomaly('value_dropped');
    }
  }

  /**
   * The response has ended, as far as it came. Its `usage` is that of the chat model, and says nothing about images. Throws what
   * it means when it holds no image. @param status if it says none
   */
  done(status?: string): ImageEvent {
    if (this.images === 0) {
      throw responseFailure({
        members: { ...this.#members, status: this.#members.status || status },
        call: this.#toolCall,
        callError: this.#callError,
        isRefused: this.#isRefused,
        parameter: this.#context.parameter,
        isPolled: this.#context.isPolled ?? false,
      });
    }
    const { created } = responseSummary({ created: this.#members.created_at });
    const hasFacts = Object.keys(this.#facts).length > 0;
    return { type: 'done', ...(created && { created }), ...(hasFacts && { facts: this.#facts }) };
  }

  *#takePiece(chunk: Buffer): Generator<ImageEvent> {
    if (this.#isResultAhead) yield* this.#beginImage();
    this.#isResultAhead = false;
    this.#image?.add(chunk);
    if (this.#image) yield { type: 'bytes', chunk };
  }

  *#beginImage(): Generator<ImageEvent> {
    const { id, type } = this.#item;
    // What has no id is new only as long as nothing has been taken from another event.
    const isTaken = hasContent(id) ? this.#taken.has(id) : this.#repeats;
    if ((hasContent(type) && type !== imageCall) || isTaken) return;
    if (this.#image) throw invalidResponse('an image call holds two images');
    // A response that never ends must not be collected.
    if (this.images === maxImages) throw invalidResponse('the response holds too many images');
    this.#image = new ImageCheck();
    yield { type: 'image', index: this.images, isPartial: false };
  }

  *#endItem(): Generator<ImageEvent> {
    const { id, type, status, error, revised_prompt: revisedPrompt } = this.#item;
    const { facts = {} } = responseSummary(definite(this.#item));
    const { created } = responseSummary({ created: this.#members.created_at });
    this.#item = {};
    if (type === imageCall) this.noteCall();
    if (type === imageCall && status === 'failed') this.#toolCall = 'failed';
    if (type === imageCall && hasContent(error)) this.#callError ??= error;
    if (!this.#image) return;
    this.#image.judge();
    this.#image = undefined;
    yield {
      type: 'image-end',
      index: this.images,
      facts,
      ...(typeof revisedPrompt === 'string' && revisedPrompt !== '' && { revisedPrompt }),
      ...(created && { created }),
    };
    this.#facts = this.images === 0 ? facts : equalFacts(this.#facts, facts);
    this.images += 1;
    if (hasContent(id)) this.#taken.add(id);
  }
}

/** Members without `auto`, which is what was asked for, and not what was made. */
export function definite(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== 'auto'));
}

/** The images of a response as JSON. Throws what a response without any means, and what breaks its body. */
export async function* responseEvents(
  body: AsyncIterable<Buffer>,
  context: ResponseContext,
): AsyncGenerator<ImageEvent> {
  const response = new ResponseReader(context);
  for await (const tokens of scanJson(body, responseShape)) {
    yield* inBatches(tokens, (token) => response.take(token), ['close']);
  }
  yield response.done();
}
