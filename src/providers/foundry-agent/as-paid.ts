import type { ImageEvent } from '../../domain/image-event.ts';
import type { Attempt } from '../../domain/image-provider.ts';
import { invalidResponse, paidCallError } from '../../upstream/paid-call-error.ts';
import { PendingResponseError } from './response-failure.ts';

/** The events of a response that nothing but this call can bring: what breaks them is a GatewayError with an outcome. */
export async function* asPaid(events: AsyncIterable<ImageEvent>, attempt: Attempt): AsyncGenerator<ImageEvent> {
  try {
    yield* events;
  } catch (error) {
    if (error instanceof PendingResponseError) throw invalidResponse(error);
    throw paidCallError(error, attempt);
  }
}
