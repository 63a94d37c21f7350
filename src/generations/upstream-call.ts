import { GatewayError } from '../domain/gateway-error.ts';
import type { Conversion } from '../domain/image-conversion.ts';
import type { DownloadedImage } from '../domain/image-download.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { Attempt, ProviderCall, UpstreamHandle } from '../domain/image-provider.ts';
import type { Delivery, ImageRequest } from '../domain/image-request.ts';
import type { ImageId } from '../domain/image-store.ts';
import type { QuotaGrant } from '../domain/quota-pools.ts';
import type { AttemptEnd, AttemptRecord, Recorder } from '../domain/recorder.ts';
import { newTraceparent, type Trace } from '../domain/trace.ts';
import type { AdaptationName } from '../parameters/adaptations.ts';
import type { Target } from '../targets/model-catalog.ts';
import type { TargetCall } from '../targets/target-health.ts';
import type { Account } from './account.ts';
import { billOf, type PaidCall, readTokens } from './billing.ts';
import { CallEvents, type Made } from './call-events.ts';
import { type Converting, converted } from './converted-events.ts';
import { dropPartialImages, type Hosting, lookAhead } from './delivery.ts';
import { afterCommitment, withoutForeignParameter, withRetirement } from './ends.ts';
import type { Journal } from './journal.ts';
import { KeepableEvents, type KeepImage } from './keepable-events.ts';
import { drawImageId, type Keeping } from './keeping.ts';
import { QuotaOfCall } from './quota-of-call.ts';

/** What all calls of one generation have in common. */
export type CallContext = {
  /** The request as its client has sent it, without the operator's defaults. */
  readonly asked: ImageRequest;
  /** How the client gets its images; `undefined`: as they come. */
  readonly delivery: Delivery | undefined;
  readonly hosting: Hosting | undefined;
  /** What converts images, if there is something that does. */
  readonly converting?: Converting | undefined;
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
  readonly journal: Pick<Journal, 'dispatch' | 'note'>;
  readonly account: Pick<Account, 'reserveAgain'>;
  readonly keeping: Pick<Keeping, 'reason' | 'keepImage'>;
  /** Whether accepted work goes on when the generation ends here, because it will be followed by its handle. */
  readonly isParked: () => boolean;
};

/** What one call is for. */
type Piece = {
  /** Which piece of the request, from 0. */
  readonly leg: number;
  readonly request: ImageRequest;
  /** What its images become when they have come. */
  readonly conversion: Conversion | undefined;
  /** Of work that was accepted before, and of its images: it is followed, and nothing is paid for. */
  readonly accepted?: { readonly handle: UpstreamHandle; readonly imageIds: readonly ImageId[] };
  /** Its turn in the quota of its target, and how long it has waited for that. */
  readonly turn?: { readonly grant: QuotaGrant | undefined; readonly waitedMs: number };
};

/** One paid call to one target, from its permit until it has failed, or until the generation is settled. */
export class UpstreamCall implements PaidCall {
  readonly target: Target;
  readonly leg: number;
  /** What the upstream is asked for. */
  readonly request: ImageRequest;
  readonly conversion: Conversion | undefined;
  /** What its images are called when they are stored: drawn before the call, so that they are found after a crash. */
  readonly imageIds: readonly ImageId[];
  /** Of the work that its upstream has accepted. */
  handle: UpstreamHandle | undefined;
  readonly attempt: Attempt;
  readonly permit: TargetCall;
  readonly #quota: QuotaOfCall;
  readonly #context: CallContext;
  readonly #begin = performance.now();
  /** Its handle could not be recorded. */
  #isUnrecorded = false;
  #knownAt: number | undefined;
  #events: CallEvents | undefined;
  #output: KeepableEvents | undefined;
  /** How it failed, if it did. */
  failure: AttemptEnd | undefined;
  error: GatewayError | undefined;
  #converted: AdaptationName | undefined;

  constructor(
    target: Target,
    { leg, request, conversion, accepted, turn }: Piece,
    permit: TargetCall,
    context: CallContext,
  ) {
    this.target = target;
    this.leg = leg;
    this.request = request;
    this.conversion = conversion;
    this.handle = accepted?.handle;
    this.imageIds = accepted?.imageIds ?? Array.from({ length: request.count }, drawImageId);
    this.permit = permit;
    this.#quota = new QuotaOfCall(target.quota, turn);
    this.#context = context;
    this.attempt = { sent: false, traceparent: context.trace && newTraceparent(context.trace) };
  }

  /** Settles when the outcome is known, and the images come in the delivery that was asked for. */
  async run(): Promise<AsyncIterable<ImageEvent>> {
    const { signal, asked } = this.#context;
    try {
      const response = await this.#ask(this.target.provider);
      const events = await this.#deliver(response).catch((error) => {
        throw afterCommitment(error);
      });
      this.permit.succeeded();
      this.#quota.succeeded(this.attempt);
      return events;
    } catch (failure) {
      const error = withRetirement(failure, this.target);
      this.failure = endOfFailure(error, this.attempt);
      this.error = error instanceof GatewayError ? error : undefined;
      const reported = signal.aborted ? signal.reason : withoutForeignParameter(error, asked);
      const isTold = await this.#quota.failed(error, this.attempt);
      if (this.#isTargetToBlame()) this.permit.failed(isTold ? withoutWait(reported) : reported);
      throw reported;
    } finally {
      this.#knownAt = performance.now();
    }
  }

  /** From now on its images go into the store, unless they are being read already. */
  keep(): void {
    const { keeping, delivery } = this.#context;
    const keepImage: KeepImage = (id, isPartial) => {
      if (delivery === 'url') this.#converted = 'delivery=url';
      return keeping.keepImage(id, isPartial);
    };
    this.#output?.keep(keepImage);
  }

  /** How long it waited for quota and permit, in milliseconds. */
  get queueMs(): number {
    return this.permit.queueMs + this.#quota.waitedMs;
  }

  /** True while nobody knows whether it is billed: it runs, or its outcome is unknown. */
  get isOpen(): boolean {
    return this.attempt.sent && (this.failure === undefined || this.failure === 'unknown');
  }

  /** Whether whoever has its handle can follow it, for free. */
  get isFollowable(): boolean {
    return this.handle !== undefined && !this.#isUnrecorded && this.target.provider.resume !== undefined;
  }

  /** Whether the upstream can be asked to end it. */
  get isCancellable(): boolean {
    return this.handle !== undefined && this.target.provider.cancelsAccepted === true;
  }

  /** The upstream has made fewer images than it was asked for, as far as its response has been read. */
  get isShort(): boolean {
    return (this.made?.images ?? this.request.count) < this.request.count;
  }

  /** What was done, or came, otherwise than planned. */
  get adaptations(): readonly AdaptationName[] {
    return [...(this.#converted ? [this.#converted] : []), ...(this.isShort ? (['n=fewer'] as const) : [])];
  }

  /** How its images come to a client that does not say how; converted ones have no link of the upstream's. */
  get ownDelivery(): Delivery | undefined {
    return this.conversion ? 'b64_json' : this.target.family.defaults.delivery;
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
      queueMs: this.queueMs,
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

  #ask(provider: Target['provider']): Promise<AsyncIterable<ImageEvent>> {
    const { signal, retryUntil, recorder, journal, isParked, converting } = this.#context;
    const call: ProviderCall = {
      signal,
      retryUntil,
      attempt: this.attempt,
      recorder,
      dispatch: async () => {
        if (this.conversion) await converting?.converter.ready();
        await journal.dispatch(this);
        await this.#quota.dispatched();
      },
      note: async (handle) => {
        this.handle = handle;
        // The work is paid for, so it goes on: only nobody else could follow it.
        await journal.note().catch(() => {
          this.#isUnrecorded = true;
        });
      },
      get isFollowed() {
        return isParked();
      },
    };
    const { handle } = this;
    return handle !== undefined && provider.resume
      ? provider.resume(handle, call)
      : provider.generate(this.request, call);
  }

  async #deliver(response: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
    const { asked, delivery, hosting, keeping } = this.#context;
    const { stream, count } = this.request;
    const isHosted = delivery === 'url' && hosting !== undefined;
    const wantsBase64 = (delivery ?? this.ownDelivery) === 'b64_json';
    // A link of the upstream's ends sooner than what is kept, but where nothing is hosted there is no other link.
    const downloads = wantsBase64 || this.conversion || (keeping.reason === 'kept' && hosting !== undefined);
    const events = new CallEvents(response, downloads ? (url) => this.#download(url, wantsBase64) : undefined);
    this.#events = events;
    await events.readLinks();
    const isPlain = !stream || (asked.stream && asked.partialImages > 0);
    const images = await converted(isPlain ? events : await dropPartialImages(events), this.conversion, this.#context);
    // While the head of the response can still say that images are missing.
    const isReadAhead = !asked.stream && count > 1 && !isHosted;
    const output = new KeepableEvents(isReadAhead ? await lookAhead(images) : images, this.imageIds);
    this.#output = output;
    if (keeping.reason !== undefined) this.keep();
    if (isHosted) await output.stored;
    return output;
  }

  #download(url: string, wantsBase64: boolean): Promise<DownloadedImage> {
    const { asked, signal, retryUntil } = this.#context;
    // That a stream carries base64 goes without saying.
    if (wantsBase64 && !asked.stream) this.#converted = 'delivery=b64_json';
    return this.target.download(url, signal, retryUntil);
  }
}

/** The wait is one of the pool's, not of the target's. */
function withoutWait(error: unknown): unknown {
  return error instanceof GatewayError ? error.with({ retryAfterMs: undefined }) : error;
}

/** Whether nothing of it is billed, or its upstream can be asked to end it. */
export function endsWhenCancelled(call: UpstreamCall): boolean {
  return !call.isOpen || call.isCancellable;
}

/** A truncated response is one failure of its target, however many calls were needed for it; a refusal is none. */
export function blameTargets(calls: readonly UpstreamCall[]): void {
  const truncated = calls.filter((call) => call.endWith('truncated') === 'truncated');
  const byTarget = new Map(truncated.map(({ target, permit }) => [target, permit]));
  for (const permit of byTarget.values()) permit.truncated();
}

function endOfFailure(error: unknown, { sent }: Attempt): AttemptEnd {
  if (!sent) return 'not-processed';
  if (!(error instanceof GatewayError)) return 'unknown';
  return error.kind === 'client_gone' ? 'abandoned' : (error.outcome ?? 'unknown');
}
