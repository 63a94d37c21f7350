import type { ImageEvent } from '../domain/image-event.ts';
import type { ProviderCall } from '../domain/image-provider.ts';
import { mostPictures } from '../domain/image-request.ts';
import type { JsonPath, JsonShape, ScanToken } from '../json/json-scanner.ts';
import { invalidResponse, paidCallError } from '../upstream/paid-call-error.ts';
import { answerSummary } from './answer-summary.ts';
import { errorInSuccess } from './azure-error.ts';
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
 * The events of an Images API answer from the tokens of its body, list by list, in any order of members. Throws a GatewayError for an
 * `error` member, an item without a picture, an answer without items, and a body that is not JSON or breaks.
 */
export async function* imageEvents(
  lists: AsyncIterable<readonly ScanToken[]>,
  call: ProviderCall,
): AsyncGenerator<ImageEvent> {
  const answer: Record<string, unknown> = {};
  let item: Item = {};
  let items = 0;
  try {
    for await (const tokens of lists)
      for (const token of tokens) {
        if (token.type === 'piece') {
          item.picture?.add(token.bytes);
          yield { type: 'bytes', chunk: token.bytes };
        } else if (token.type === 'text') {
          if (item.picture) throw invalidResponse('an item holds two pictures');
          item.picture = new PictureCheck();
          yield { type: 'image', index: items, isPartial: false };
        } else if (token.type === 'value') {
          if (token.path.length === 3) item = { ...item, ...itemMember(token.path, token.value) };
          else if (token.path.length === 2) throw invalidResponse('an item is not an object');
          else if (token.path.length === 1) keepMember(answer, token.path, token.value);
        } else if (token.type === 'close' && token.path.length === 2) {
          // An answer that never ends must not be collected.
          if (items === mostPictures) throw invalidResponse('the answer holds too many pictures');
          yield endOfItem(item, items);
          item = {};
          items += 1;
        } else if (token.type === 'dropped') {
          call.recorder.anomaly('value_dropped');
        }
      }
    if (items === 0) throw invalidResponse('the answer holds no picture');
  } catch (error) {
    throw paidCallError(error, call.attempt);
  }
  const summary = answerSummary(answer);
  call.attempt.made = { pictures: items, ...summary };
  yield { type: 'done', ...summary };
}

type Item = { picture?: PictureCheck; url?: string; revisedPrompt?: string };

function itemMember(path: JsonPath, value: unknown): Item {
  const name = path[2];
  if (name === 'error' && value !== null) throw errorInSuccess(value);
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
