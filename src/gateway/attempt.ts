import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { Attempt } from '../domain/image-provider.ts';
import type { Delivery, ImageRequest } from '../domain/image-request.ts';
import type { AttemptEnd, Recorder } from '../domain/recorder.ts';
import { deliverBase64 } from './deliver-base64.ts';
import { deliverUrl, type Hosting } from './deliver-url.ts';
import { dropPreviews } from './drop-previews.ts';
import type { Target } from './model-catalog.ts';

/** What the pictures of all attempts of a generation become. */
export type Delivering = {
  /** What the caller wants to get; `undefined`: whatever comes. */
  readonly delivery: Delivery | undefined;
  /** Whether the caller wants to see previews. */
  readonly wantsPreviews: boolean;
  readonly hosting: Hosting | undefined;
  readonly signal: AbortSignal;
  readonly recorder: Recorder;
};

/** One paid call to one target, from its start until it has failed, or until the generation is settled. */
export class PaidAttempt {
  readonly target: Target;
  readonly attempt: Attempt = { sent: false };
  readonly #request: ImageRequest;
  readonly #delivering: Delivering;
  #failure: AttemptEnd | undefined;

  /** @param request what the upstream is asked for */
  constructor(target: Target, request: ImageRequest, delivering: Delivering) {
    this.target = target;
    this.#request = request;
    this.#delivering = delivering;
  }

  /** Settles when the outcome is known, and the pictures come in the delivery that was asked for. */
  async start(): Promise<AsyncIterable<ImageEvent>> {
    const { signal } = this.#delivering;
    try {
      return await this.#run();
    } catch (error) {
      this.#failure = endOfFailure(error, this.attempt);
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** True while nobody knows whether it is billed: it runs, or its outcome is unknown. */
  get isOpen(): boolean {
    return this.attempt.sent && (this.#failure === undefined || this.#failure === 'unknown');
  }

  /** How the call ended, given how the generation did. */
  endOf(generation: AttemptEnd): AttemptEnd {
    return this.#failure ?? (this.attempt.sent ? generation : 'not-processed');
  }

  async #run(): Promise<AsyncIterable<ImageEvent>> {
    const { signal, recorder } = this.#delivering;
    const answer = await this.target.provider.generate(this.#request, { signal, attempt: this.attempt, recorder });
    try {
      return await this.#deliver(answer);
    } catch (error) {
      throw afterCommitment(error);
    }
  }

  async #deliver(answer: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
    const { delivery, wantsPreviews, hosting, signal } = this.#delivering;
    const events = this.#request.stream && !wantsPreviews ? await dropPreviews(answer) : answer;
    if (delivery === 'b64_json') return deliverBase64(events, this.target.download, signal);
    if (delivery === 'url' && hosting) return asStream(await deliverUrl(events, hosting, signal));
    return events;
  }
}

async function* asStream(events: readonly ImageEvent[]): AsyncGenerator<ImageEvent> {
  yield* events;
}

/** The upstream had begun to answer: whatever it says later, a picture may have been made. */
function afterCommitment(error: unknown): unknown {
  if (!(error instanceof GatewayError) || (error.outcome !== 'failed' && error.outcome !== 'not-processed'))
    return error;
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service failed after it had begun to answer. The picture may be billed; it was not asked for again.',
    { outcome: 'unknown', cause: error },
  );
}

function endOfFailure(error: unknown, { sent }: Attempt): AttemptEnd {
  if (!sent) return 'not-processed';
  if (!(error instanceof GatewayError)) return 'unknown';
  return error.kind === 'client_gone' ? 'abandoned' : (error.outcome ?? 'unknown');
}
