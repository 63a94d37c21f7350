import { GatewayError } from '../domain/gateway-error.ts';
import type { DownloadedImage } from '../domain/image-download.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { Attempt, UpstreamHandle } from '../domain/image-provider.ts';
import { type Delivery, type ImageRequest, parameterNames } from '../domain/image-request.ts';
import type { AttemptEnd, AttemptRecord, Recorder } from '../domain/recorder.ts';
import { newTraceparent, type Trace } from '../domain/trace.ts';
import type { AdaptationName } from '../parameters/adaptations.ts';
import type { Target } from '../targets/model-catalog.ts';
import type { TargetCall } from '../targets/target-health.ts';
import { billOf, type PaidCall, readTokens } from './billing.ts';
import { CallEvents, type Made } from './call-events.ts';
import { deliverUrl, dropPartialImages, type Hosting, lookAhead } from './delivery.ts';

/** What all calls of one generation have in common. */
export type CallContext = {
  /** The request as its client has sent it, without the operator's defaults. */
  readonly asked: ImageRequest;
  /** How the client gets its images; `undefined`: as they come. */
  readonly delivery: Delivery | undefined;
  readonly hosting: Hosting | undefined;
  readonly signal: AbortSignal;
  /** When free steps after a paid call are tried for the last time, as of `performance.now()`. */
  readonly retryUntil: number;
  /** Whether the deadline is the model's, and not a shorter one of the client's. */
  readonly isModelsDeadline: boolean;
  readonly recorder: Recorder;
  /** The trace that the calls are a part of. */
  readonly trace: Trace | undefined;
  /** For the log: the request, and the logical model. */
  readonly requestId: string | undefined;
  readonly model: string;
  /** Records a paid call before it is sent, and accepted work before it is polled. */
  readonly journal: { dispatch(): Promise<void>; note(handle: UpstreamHandle): Promise<void> };
};

/** One paid call to one target, from its permit until it has failed, or until the generation is settled. */
export class UpstreamCall implements PaidCall {
  readonly target: Target;
  /** What the upstream is asked for. */
  readonly request: ImageRequest;
  readonly attempt: Attempt;
  readonly permit: TargetCall;
  readonly #context: CallContext;
  readonly #begin = performance.now();
  #knownAt: number | undefined;
  #events: CallEvents | undefined;
  /** How it failed, if it did. */
  failure: AttemptEnd | undefined;
  error: GatewayError | undefined;
  #converted: AdaptationName | undefined;

  constructor(target: Target, request: ImageRequest, permit: TargetCall, context: CallContext) {
    this.target = target;
    this.request = request;
    this.permit = permit;
    this.#context = context;
    this.attempt = { sent: false, traceparent: context.trace && newTraceparent(context.trace) };
  }

  /** Settles when the outcome is known, and the images come in the delivery that was asked for. */
  async run(): Promise<AsyncIterable<ImageEvent>> {
    const { signal, retryUntil, recorder, journal, asked } = this.#context;
    const { dispatch, note } = journal;
    try {
      const call = { signal, retryUntil, attempt: this.attempt, recorder, dispatch, note };
      const response = await this.target.provider.generate(this.request, call);
      const events = await this.#deliver(response).catch((error) => {
        throw afterCommitment(error);
      });
      this.permit.succeeded();
      return events;
    } catch (error) {
      this.failure = endOfFailure(error, this.attempt);
      this.error = error instanceof GatewayError ? error : undefined;
      const reported = signal.aborted ? signal.reason : withoutForeignParameter(error, asked);
      if (this.#isTargetToBlame()) this.permit.failed(reported);
      throw reported;
    } finally {
      this.#knownAt = performance.now();
    }
  }

  /** True while nobody knows whether it is billed: it runs, or its outcome is unknown. */
  get isOpen(): boolean {
    return this.attempt.sent && (this.failure === undefined || this.failure === 'unknown');
  }

  /** The upstream has made fewer images than it was asked for, as far as its response has been read. */
  get isShort(): boolean {
    return (this.made?.images ?? this.request.count) < this.request.count;
  }

  /** What was done, or came, otherwise than planned. */
  get adaptations(): readonly AdaptationName[] {
    return [...(this.#converted ? [this.#converted] : []), ...(this.isShort ? (['n=fewer'] as const) : [])];
  }

  /** What the upstream has made, once its response was read to the end. */
  get made(): Made | undefined {
    return this.#events?.made;
  }

  /** @param settlement how the generation ended, for a call that had not failed */
  endWith(settlement: AttemptEnd): AttemptEnd {
    return this.failure ?? (this.attempt.sent ? settlement : 'not-processed');
  }

  /** For the log and metrics, once the generation has ended so. */
  record(settlement: AttemptEnd): AttemptRecord {
    const { requestId, trace, model } = this.#context;
    const { sent, status, upstreamRequestId } = this.attempt;
    const { made } = this;
    return {
      requestId,
      traceId: trace?.traceId,
      model,
      target: this.target.name,
      provider: this.target.provider.id,
      request: this.request,
      count: this.request.count,
      images: made?.images,
      end: this.endWith(settlement),
      sent,
      status,
      error: this.error,
      queueMs: this.permit.queueMs,
      upstreamMs: (this.#knownAt ?? performance.now()) - this.#begin,
      upstreamRequestId,
      tokens: readTokens(made?.usage, { isEdit: this.request.edit !== undefined }),
      bill: billOf(this),
    };
  }

  /** A client that leaves, a shutdown, and a deadline that the client has shortened say nothing about the target. */
  #isTargetToBlame(): boolean {
    const { signal, isModelsDeadline } = this.#context;
    const { aborted, reason } = signal;
    return !aborted || (isModelsDeadline && reason instanceof GatewayError && reason.kind === 'upstream_timeout');
  }

  async #deliver(response: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
    const { asked, delivery, hosting } = this.#context;
    const { stream, count } = this.request;
    const wantsBase64 = (delivery ?? this.target.family.defaults.delivery) === 'b64_json';
    const events = new CallEvents(response, wantsBase64 ? (url) => this.#download(url) : undefined);
    this.#events = events;
    await events.readLinks();
    const isPlain = !stream || (asked.stream && asked.partialImages > 0);
    const images = isPlain ? events : await dropPartialImages(events);
    if (delivery === 'url' && hosting !== undefined) return this.#host(images, hosting);
    // While the head of the response can still say that images are missing.
    return !asked.stream && count > 1 ? lookAhead(images) : images;
  }

  #download(url: string): Promise<DownloadedImage> {
    const { asked, signal, retryUntil } = this.#context;
    // That a stream carries base64 goes without saying.
    if (!asked.stream) this.#converted = 'delivery=b64_json';
    return this.target.download(url, signal, retryUntil);
  }

  async #host(images: AsyncIterable<ImageEvent>, hosting: Hosting): Promise<AsyncIterable<ImageEvent>> {
    const { signal, retryUntil } = this.#context;
    const links = await deliverUrl(images, async (bytes) => {
      this.#converted = 'delivery=url';
      return hosting.urlOf(await hosting.put(bytes, { signal, until: retryUntil }));
    });
    return asStream(links);
  }
}

async function* asStream(events: readonly ImageEvent[]): AsyncGenerator<ImageEvent> {
  yield* events;
}

/** A parameter that the client has not sent, but its operator or the gateway, must not be named to it. */
function withoutForeignParameter(error: unknown, asked: ImageRequest): unknown {
  if (!(error instanceof GatewayError) || error.param === undefined) return error;
  const [name = ''] = /^\w+/.exec(error.param) ?? [];
  if (parameterNames(asked).has(name)) return error;
  return error.with({ param: undefined }, error.message.replace(`'${error.param}'`, 'one of the parameters'));
}

/** The upstream had begun to respond: whatever it says later, an image may have been made. */
function afterCommitment(error: unknown): unknown {
  if (!(error instanceof GatewayError) || (error.outcome !== 'failed' && error.outcome !== 'not-processed'))
    return error;
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service failed after it had begun to respond. The image may be billed; it was not retried.',
    { outcome: 'unknown', cause: error, upstream: error.upstream, hint: error.hint },
  );
}

function endOfFailure(error: unknown, { sent }: Attempt): AttemptEnd {
  if (!sent) return 'not-processed';
  if (!(error instanceof GatewayError)) return 'unknown';
  return error.kind === 'client_gone' ? 'abandoned' : (error.outcome ?? 'unknown');
}
