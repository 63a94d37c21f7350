import { equalFacts } from '../../domain/equal-facts.ts';
import type { ImageEvent, ImageFacts } from '../../domain/image-event.ts';
import type { Made } from '../../domain/image-provider.ts';
import { mostPictures } from '../../domain/image-request.ts';
import type { Recorder } from '../../domain/recorder.ts';
import type { JsonShape, ScanToken } from '../../json/json-scanner.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import { answerSummary } from '../answer-summary.ts';
import { PictureCheck } from '../picture-check.ts';
import { responseFailure } from './response-failure.ts';

/** The parts of an output item that matter; messages and the calls of other tools have none of them. */
export const itemShape: JsonShape = {
  members: {
    id: 'keep',
    type: 'keep',
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

/** Takes the pictures out of the tokens of a response. Paths are those of {@link responseShape}. */
export class ResponseReader {
  readonly #recorder: Recorder;
  #members: Record<string, unknown> = {};
  #item: Record<string, unknown> = {};
  #picture: PictureCheck | undefined;
  #hasCall = false;
  #callError: unknown;
  #facts: ImageFacts = {};
  readonly #taken = new Set<unknown>();
  #repeats = false;
  /** How many pictures are complete. */
  pictures = 0;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  /** Tokens of another event follow, which may repeat what earlier ones have said. */
  beginAgain(): void {
    const { id, created_at } = this.#members;
    this.#members = { id, created_at };
    this.#repeats = this.pictures > 0;
  }

  /** The image tool was called: what it has made may be billed, even if it does not come. */
  noteCall(): void {
    this.#hasCall = true;
  }

  /** True between the beginning and the end of a picture. */
  get isInPicture(): boolean {
    return this.#picture !== undefined;
  }

  /** Throws a GatewayError for what is no picture, and for too many of them. */
  *take(token: ScanToken): Generator<ImageEvent> {
    if (token.type === 'piece') {
      this.#picture?.add(token.bytes);
      if (this.#picture) yield { type: 'bytes', chunk: token.bytes };
    } else if (token.type === 'text') {
      yield* this.#beginPicture();
    } else if (token.type === 'value') {
      const [member, , name] = token.path;
      if (token.path.length === 1) this.#members[String(member)] = token.value;
      else if (token.path.length === 3) this.#item[String(name)] = token.value;
    } else if (token.type === 'close' && token.path.length === 2) {
      yield* this.#endItem();
    } else if (token.type === 'dropped') {
      this.#recorder.anomaly('value_dropped');
    }
  }

  /** The response has ended, as far as it came. Throws what it means when it holds no picture. @param status if it says none */
  done(status?: string): ImageEvent {
    if (this.pictures === 0) {
      const members = { status, ...this.#members };
      throw responseFailure({ members, hasCall: this.#hasCall, callError: this.#callError });
    }
    const { created } = answerSummary({ created: this.#members.created_at });
    const hasFacts = Object.keys(this.#facts).length > 0;
    return { type: 'done', ...(created && { created }), ...(hasFacts && { facts: this.#facts }) };
  }

  /** The call's `usage` is that of the chat model, and says nothing about pictures. */
  get made(): Made {
    return { pictures: this.pictures, facts: this.#facts };
  }

  *#beginPicture(): Generator<ImageEvent> {
    const { id, type = imageCall } = this.#item;
    // What has no id is new only as long as nothing has been taken from another event.
    const isTaken = id === undefined ? this.#repeats : this.#taken.has(id);
    if (type !== imageCall || isTaken) return;
    if (this.#picture) throw invalidResponse('an image call holds two pictures');
    // An answer that never ends must not be collected.
    if (this.pictures === mostPictures) throw invalidResponse('the answer holds too many pictures');
    this.#picture = new PictureCheck();
    yield { type: 'image', index: this.pictures, isPartial: false };
  }

  *#endItem(): Generator<ImageEvent> {
    const { id, type, error, revised_prompt: revisedPrompt } = this.#item;
    const { facts = {} } = answerSummary(definite(this.#item));
    const { created } = answerSummary({ created: this.#members.created_at });
    this.#item = {};
    if (type === imageCall) this.#hasCall = true;
    if (type === imageCall && error !== null) this.#callError ??= error;
    if (!this.#picture) return;
    this.#picture.judge();
    this.#picture = undefined;
    yield {
      type: 'image-end',
      index: this.pictures,
      facts,
      ...(typeof revisedPrompt === 'string' && { revisedPrompt }),
      ...(created && { created }),
    };
    this.#facts = this.pictures === 0 ? facts : equalFacts(this.#facts, facts);
    this.pictures += 1;
    if (id !== undefined) this.#taken.add(id);
  }
}

/** Members without `auto`, which is what was asked for, and not what was made. */
export function definite(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== 'auto'));
}
