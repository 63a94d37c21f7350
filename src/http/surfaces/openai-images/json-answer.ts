import type { ImageEvent } from '../../../domain/image-event.ts';
import { clientUsage } from './client-usage.ts';

/** Counts the images that have been written completely. */
export type Written = { images: number };

/**
 * An answer's events as the JSON text of OpenAI's ImagesResponse, piece by piece: `data` first, because everything else
 * is known only when the last image has passed.
 */
export async function* jsonAnswer(
  events: AsyncIterable<ImageEvent>,
  written: Written,
): AsyncGenerator<Buffer | string> {
  let separator = '{"data":[';
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
        yield `],${JSON.stringify(summary(event)).slice(1)}`;
        break;
    }
  }
}

function summary({ created, usage, facts }: Extract<ImageEvent, { type: 'done' }>): Record<string, unknown> {
  return {
    created: created ?? Math.floor(Date.now() / 1000),
    background: facts?.background,
    output_format: facts?.outputFormat,
    quality: facts?.quality,
    size: facts?.size,
    usage: clientUsage(usage),
  };
}
