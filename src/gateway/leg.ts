import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { Attempt } from '../domain/image-provider.ts';
import type { Delivery, ImageRequest } from '../domain/image-request.ts';
import type { AttemptEnd, Recorder } from '../domain/recorder.ts';
import { deliverBase64 } from './deliver-base64.ts';
import { deliverUrl, type Hosting } from './deliver-url.ts';
import { dropPreviews } from './drop-previews.ts';
import type { Target } from './model-catalog.ts';

/** One paid call of a generation, from its start until the whole generation is settled. */
export interface Leg {
  readonly attempt: Attempt;
  /** Settles when the outcome is known, and the pictures come in the delivery that was asked for. */
  start(): Promise<AsyncIterable<ImageEvent>>;
  /** How the call ended, given how the generation did; `undefined` for a call that was never started. */
  endOf(generation: AttemptEnd): AttemptEnd | undefined;
}

type Parts = {
  readonly target: Target;
  /** What the upstream is asked for. */
  readonly request: ImageRequest;
  /** What the caller wants to get; `undefined`: whatever comes. */
  readonly delivery: Delivery | undefined;
  /** Whether the caller wants to see previews. */
  readonly wantsPreviews: boolean;
  readonly hosting: Hosting | undefined;
  readonly signal: AbortSignal;
  readonly recorder: Recorder;
};

export function createLeg(parts: Parts): Leg {
  const { target, request, delivery, wantsPreviews, hosting, signal, recorder } = parts;
  const attempt: Attempt = { sent: false };
  let isStarted = false;
  let failure: AttemptEnd | undefined;

  async function run(): Promise<AsyncIterable<ImageEvent>> {
    const answer = await target.provider.generate(request, { signal, attempt, recorder });
    const events = request.stream && !wantsPreviews ? await dropPreviews(answer) : answer;
    if (delivery === 'b64_json') return deliverBase64(events, target.download, signal);
    if (delivery === 'url' && hosting) return asStream(await deliverUrl(events, hosting, signal));
    return events;
  }

  return {
    attempt,
    async start() {
      isStarted = true;
      try {
        return await run();
      } catch (error) {
        failure = endOfFailure(error, attempt);
        throw signal.aborted ? signal.reason : error;
      }
    },
    endOf(generation) {
      if (!isStarted) return undefined;
      return failure ?? (attempt.sent ? generation : 'not-processed');
    },
  };
}

async function* asStream(events: readonly ImageEvent[]): AsyncGenerator<ImageEvent> {
  yield* events;
}

function endOfFailure(error: unknown, { sent }: Attempt): AttemptEnd {
  if (!(error instanceof GatewayError)) return sent ? 'unknown' : 'not-processed';
  if (error.kind === 'client_gone') return sent ? 'abandoned' : 'not-processed';
  return error.outcome ?? (sent ? 'unknown' : 'not-processed');
}
