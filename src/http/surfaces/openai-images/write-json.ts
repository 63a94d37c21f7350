import type { FastifyReply } from 'fastify';
import type { GenerationReader } from '../../../domain/generation-reader.ts';
import type { ImageEvent, ImageUsage } from '../../../domain/image-event.ts';
import { generationHeaders } from '../../gateway-headers.ts';
import { keepAliveWhileSilent } from '../../interim-responses.ts';
import { sendGeneration } from '../../send-body.ts';

/** Writes a generation's images as OpenAI's ImagesResponse. Rejects with the generation's error. */
export function writeJson(reader: GenerationReader, reply: FastifyReply): Promise<void> {
  return writeJsonText(reader, reply, (events) => imagesJson(events, reply.request.record));
}

/** Writes a generation's images as JSON. Rejects with the generation's error. @param textOf the JSON text, piece by piece */
export async function writeJsonText(
  reader: GenerationReader,
  reply: FastifyReply,
  textOf: (events: AsyncIterable<ImageEvent>) => AsyncIterable<Buffer | string>,
): Promise<void> {
  keepAliveWhileSilent(reply);
  const events = await reader.events;
  reply.headers({ ...generationHeaders(reader.report, reply.request), 'content-type': 'application/json' });
  await sendGeneration(reader, reply, textOf(events));
}

/** Counts the images that have been written completely. */
export type Written = { images: number };

/** The JSON text, piece by piece: `data` first, because everything else is known only when the last image has passed. */
export async function* imagesJson(
  events: AsyncIterable<ImageEvent>,
  written: Written,
): AsyncGenerator<Buffer | string> {
  yield '{"data":[';
  yield* imageItems(events, written, (done) => `],${summaryOf(done).slice(1)}`);
}

/** The items of a list of images. @param summary what follows the last of them, if anything */
export async function* imageItems(
  events: AsyncIterable<ImageEvent>,
  written: Written,
  summary: (event: Extract<ImageEvent, { type: 'done' }>) => string = () => '',
): AsyncGenerator<Buffer | string> {
  let separator = '';
  for await (const event of events) {
    switch (event.type) {
      case 'bytes':
        yield event.chunk;
        break;
      case 'image':
        yield `${separator}{"b64_json":"`;
        separator = ',';
        break;
      case 'image-end':
        written.images += 1;
        yield `"${event.revisedPrompt === undefined ? '' : `,"revised_prompt":${JSON.stringify(event.revisedPrompt)}`}}`;
        break;
      case 'url':
        written.images += 1;
        yield `${separator}${JSON.stringify({ url: event.url, revised_prompt: event.revisedPrompt })}`;
        separator = ',';
        break;
      case 'done':
        yield summary(event);
        break;
    }
  }
}

function summaryOf({ created, facts, usage }: Extract<ImageEvent, { type: 'done' }>): string {
  return JSON.stringify({
    created: created ?? Math.floor(Date.now() / 1000),
    background: facts?.background,
    output_format: facts?.outputFormat,
    quality: facts?.quality,
    size: facts?.size,
    usage: clientUsage(usage),
  });
}

const counts = ['input_tokens', 'output_tokens', 'total_tokens'];
const details = ['input_tokens_details', 'output_tokens_details'];
const detailCounts = ['text_tokens', 'image_tokens'];

/**
 * The token counts as OpenAI's types have them, for clients that refuse anything else: details that lack a count are left
 * out, and so are all counts where one of the three is missing.
 */
export function clientUsage(usage: ImageUsage | undefined): ImageUsage | undefined {
  if (usage === undefined || !hasCounts(usage, counts)) return undefined;
  return Object.fromEntries(
    Object.entries(usage).filter(([name, value]) => !details.includes(name) || hasCounts(value, detailCounts)),
  );
}

function hasCounts(value: unknown, names: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof (value as ImageUsage)[name] === 'number')
  );
}
