import type { ImageEvent } from '../../domain/image-event.ts';
import type { ProviderCall } from '../../domain/image-provider.ts';
import { scanJson } from '../../json/scan-json.ts';
import { inBatches } from '../in-batches.ts';
import { ResponseReader, responseShape } from './response-reader.ts';

/** The pictures of a response as JSON. Throws what a response without any means, and what breaks its body. */
export async function* responseEvents(
  body: AsyncIterable<Buffer>,
  { recorder, attempt }: ProviderCall,
): AsyncGenerator<ImageEvent> {
  const response = new ResponseReader(recorder);
  for await (const tokens of scanJson(body, responseShape)) {
    yield* inBatches(
      tokens,
      (token) => response.take(token),
      ({ type }) => type === 'close',
    );
  }
  const done = response.done();
  attempt.made = response.made;
  yield done;
}
