import type { ImageEvent } from '../domain/image-event.ts';
import type { ProviderCall } from '../domain/image-provider.ts';
import { mostPictures } from '../domain/image-request.ts';
import type { JsonPath, JsonShape, ScanToken } from '../json/json-scanner.ts';
import { invalidResponse, paidCallError } from '../upstream/paid-call-error.ts';
import { answerSummary } from './answer-summary.ts';
import { errorInItem, errorInSuccess } from './azure-error.ts';
import { PictureCheck } from './picture-check.ts';

/** The parts of an Images API answer that the gateway passes on; content filter results are not among them. */
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
 * The events of an Images API answer from the tokens of its body, list by list, in any order of members. Throws a
 * GatewayError for an `error` member, an item without a picture, an answer without items, and a body that is not JSON or
 * breaks.
 */
export async function* imageEvents(
  lists: AsyncIterable<readonly ScanToken[]>,
  call: ProviderCall,
): AsyncGenerator<ImageEvent> {
  const reader = new AnswerReader(call);
  try {
    for await (const tokens of lists) {
      for (const token of tokens) {
        const event = reader.take(token);
        if (event !== undefined) yield event;
      }
    }
    if (reader.items === 0) throw invalidResponse('the answer holds no picture');
  } catch (error) {
    throw paidCallError(error, call.attempt);
  }
  const summary = answerSummary(reader.members);
  call.attempt.made = { pictures: reader.items, ...summary };
  yield { type: 'done', ...summary };
}

/** Takes the pictures out of the tokens of an answer. Paths are those of {@link imagesShape}. */
class AnswerReader {
  readonly #recorder: ProviderCall['recorder'];
  /** What stands beside the pictures. */
  readonly members: Record<string, unknown> = {};
  #item: Item = {};
  /** How many items are complete. */
  items = 0;

  constructor({ recorder }: ProviderCall) {
    this.#recorder = recorder;
  }

  /** What a token means to a caller, if anything. Throws a GatewayError. */
  take(token: ScanToken): ImageEvent | undefined {
    switch (token.type) {
      case 'piece':
        this.#item.picture?.add(token.bytes);
        return { type: 'bytes', chunk: token.bytes };
      case 'text':
        if (this.#item.picture) throw invalidResponse('an item holds two pictures');
        this.#item.picture = new PictureCheck();
        return { type: 'image', index: this.items, isPartial: false };
      case 'value':
        this.#keep(token.path, token.value);
        return undefined;
      case 'close':
        return token.path.length === 2 ? this.#endItem() : undefined;
      case 'dropped':
        this.#recorder.anomaly('value_dropped');
        return undefined;
      case 'text-end':
        return undefined;
    }
  }

  #keep(path: JsonPath, value: unknown): void {
    if (path.length === 3) this.#item = { ...this.#item, ...itemMember(path, value) };
    else if (path.length === 2) throw invalidResponse('an item is not an object');
    else if (path.length === 1) keepMember(this.members, path, value);
  }

  #endItem(): ImageEvent {
    // An answer that never ends must not be collected.
    if (this.items === mostPictures) throw invalidResponse('the answer holds too many pictures');
    const event = endOfItem(this.#item, this.items);
    this.#item = {};
    this.items += 1;
    return event;
  }
}

type Item = { picture?: PictureCheck; url?: string; revisedPrompt?: string };

function itemMember(path: JsonPath, value: unknown): Item {
  const name = path[2];
  if (name === 'error' && value !== null) throw errorInItem(value);
  if (name === 'url' && typeof value === 'string') return { url: value };
  if (name === 'revised_prompt' && typeof value === 'string') return { revisedPrompt: value };
  return {};
}

function keepMember(answer: Record<string, unknown>, path: JsonPath, value: unknown): void {
  const name = String(path[0]);
  if (name === 'error' && value !== null) throw errorInSuccess(value);
  answer[name] = value;
}

function endOfItem({ picture, url, revisedPrompt }: Item, index: number): ImageEvent {
  const prompt = revisedPrompt === undefined ? {} : { revisedPrompt };
  picture?.judge();
  if (picture) return { type: 'image-end', index, ...prompt };
  if (url === undefined || !URL.canParse(url)) throw invalidResponse('an item holds no picture');
  return { type: 'url', index, url, ...prompt };
}
