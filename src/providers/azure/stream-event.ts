import { JsonScanner, type JsonShape, type ScanToken } from '../../codec/json-scanner.ts';
import type { ImageEnd } from '../../domain/image-event.ts';
import type { Recorder } from '../../domain/recorder.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import { answerSummary } from './answer-summary.ts';
import { errorInItem, errorInSuccess } from './azure-error.ts';
import { beginsObject } from './begins-object.ts';
import { errorMembers } from './error-members.ts';
import { hasContent } from './has-content.ts';
import { ImageCheck } from './image-check.ts';
import { imageLink } from './image-link.ts';
import type { StreamToken } from './undecided-images.ts';

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

/** One event of an image stream while its data arrives: a preview, a completed image, an error, or of no interest. */
export class StreamEvent {
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
      ...answerSummary({ ...this.#members, created }, this.#recorder),
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
