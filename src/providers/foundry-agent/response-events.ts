import { scanJson } from '../../codec/json-scanner.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import { inBatches } from '../azure/in-batches.ts';
import { type ResponseCall, ResponseReader, responseShape } from './response-reader.ts';

/** The images of a response as JSON. Throws what a response without any means, and what breaks its body. */
export async function* responseEvents(body: AsyncIterable<Buffer>, call: ResponseCall): AsyncGenerator<ImageEvent> {
  const response = new ResponseReader(call);
  for await (const tokens of scanJson(body, responseShape)) {
    yield* inBatches(
      tokens,
      (token) => response.take(token),
      ({ type }) => type === 'close',
    );
  }
  const done = response.done();
  call.attempt.made = response.made;
  yield done;
}
