import type { ImageEvent } from '../../domain/image-event.ts';
import type { ProviderCall } from '../../domain/image-provider.ts';
import { unfinishedStream } from '../../upstream/paid-call-error.ts';
import { SseReader } from '../../upstream/sse-reader.ts';
import { ResponseStreamReader } from './response-stream-reader.ts';

/**
 * The pictures of a streamed response, previews included. Throws a GatewayError for an error event, for a response that
 * ends without a picture, and for a stream that ends before; a picture that is complete stays one, whatever follows it.
 */
export async function* responseStream(
  body: AsyncIterable<Buffer>,
  { recorder }: ProviderCall,
): AsyncGenerator<ImageEvent> {
  const sse = new SseReader();
  const stream = new ResponseStreamReader(recorder);
  try {
    for await (const chunk of body) {
      yield* stream.read(sse.push(chunk));
      if (stream.isComplete) break;
    }
    if (!stream.isComplete) yield* stream.read(sse.end());
    if (!stream.isComplete) throw unfinishedStream();
  } catch (error) {
    if (!stream.isSettled) throw error;
  }
  yield stream.done();
}
