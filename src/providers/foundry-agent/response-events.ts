import { scanJson } from '../../codec/scan-json.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import { inBatches } from '../azure/in-batches.ts';
import { type ResponseContext, ResponseReader, responseShape } from './response-reader.ts';

/** The images of a response as JSON. Throws what a response without any means, and what breaks its body. */
export async function* responseEvents(
  body: AsyncIterable<Buffer>,
  context: ResponseContext,
): AsyncGenerator<ImageEvent> {
  const response = new ResponseReader(context);
  for await (const tokens of scanJson(body, responseShape)) {
    yield* inBatches(
      tokens,
      (token) => response.take(token),
      ({ type }) => type === 'close',
    );
  }
  yield response.done();
}
