import type { ImageEnd, ImageEvent } from '../domain/image-event.ts';
import { JsonScanner, type JsonShape, type ScanToken } from '../json/json-scanner.ts';
import { invalidResponse } from '../upstream/paid-call-error.ts';
import { answerSummary } from './answer-summary.ts';
import { azureErrorEvent } from './azure-error.ts';
import { beginsObject } from './begins-object.ts';
import { PictureCheck } from './picture-check.ts';

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
    error: 'keep',
    code: 'keep',
    message: 'keep',
    param: 'keep',
  },
};

type Kind = 'partial' | 'completed' | 'error' | 'other';

/** One event of an image stream while its data arrives: a preview, a completed picture, an error, or of no interest. */
export class StreamEvent {
  readonly #index: number;
  readonly #scanner = new JsonScanner(shape);
  readonly #members: Record<string, unknown> = {};
  #kind: Kind | undefined;
  #isObject: boolean | undefined;
  #picture: PictureCheck | undefined;
  /** Pieces of a picture that came before anything said what it is. */
  #held: Buffer[] = [];

  /** `index`: of the picture that this event may belong to. `name`: what its `event:` line says, if it has one. */
  constructor(index: number, name: string) {
    this.#index = index;
    this.#kind = kindOf(name);
  }

  get isCompleted(): boolean {
    return this.#kind === 'completed';
  }

  *read(data: Buffer): Generator<ImageEvent> {
    // What is no object (`[DONE]`) is no event of ours.
    this.#isObject ??= beginsObject(data);
    if (!this.#isObject || this.#kind === 'other') return;
    for (const token of this.#scanner.push(data)) yield* this.#take(token);
  }

  /** The event's data is complete. Throws a GatewayError for an error event, and MalformedJsonError. */
  *end(): Generator<ImageEvent, ImageEnd | undefined> {
    if (!this.#isObject || this.#kind === 'other') return undefined;
    for (const token of this.#scanner.end()) yield* this.#take(token);
    const { error, type: _type, ...flat } = this.#members;
    if (this.#kind === 'error' || (typeof error === 'object' && error !== null)) throw azureErrorEvent(error ?? flat);
    if (this.#kind === undefined) return undefined;
    const end = this.#imageEnd();
    this.#picture?.judge();
    yield this.#picture ? end : this.#link();
    return end;
  }

  *#take(token: ScanToken): Generator<ImageEvent> {
    if (token.type === 'value') {
      const name = String(token.path[0]);
      this.#members[name] = token.value;
      if (name === 'type' && this.#kind === undefined) yield* this.#learnKind(String(token.value));
    } else if (token.type === 'text') {
      this.#picture = new PictureCheck();
      if (this.#isPicture) yield this.#image();
    } else if (token.type === 'piece') {
      this.#picture?.add(token.bytes);
      if (this.#isPicture) yield { type: 'bytes', chunk: token.bytes };
      else this.#held.push(token.bytes);
    }
  }

  *#learnKind(type: string): Generator<ImageEvent> {
    this.#kind = kindOf(type);
    if (!this.#picture || !this.#isPicture) return;
    yield this.#image();
    for (const chunk of this.#held) yield { type: 'bytes', chunk };
    this.#held = [];
  }

  get #isPicture(): boolean {
    return this.#kind === 'partial' || this.#kind === 'completed';
  }

  #image(): ImageEvent {
    return { type: 'image', index: this.#index, isPartial: this.#kind === 'partial' };
  }

  /** Base64 is what streams are documented to carry; a link is as good as that. */
  #link(): ImageEvent {
    const { url } = this.#members;
    if (typeof url !== 'string' || !URL.canParse(url)) throw invalidResponse('an event holds no picture');
    return { type: 'url', index: this.#index, url };
  }

  #imageEnd(): ImageEnd {
    const { partial_image_index: partialIndex, created_at: created } = this.#members;
    const isPartial = this.#kind === 'partial' && typeof partialIndex === 'number';
    return {
      type: 'image-end',
      index: this.#index,
      ...(isPartial && { partialIndex }),
      ...answerSummary({ ...this.#members, created }),
    };
  }
}

/** Generations and edits name their events alike: `image_generation.completed`, `image_edit.completed`. */
function kindOf(type: string): Kind | undefined {
  if (type === '') return undefined;
  if (type.endsWith('.partial_image')) return 'partial';
  if (type.endsWith('.completed')) return 'completed';
  return type === 'error' || type.endsWith('.failed') ? 'error' : 'other';
}
