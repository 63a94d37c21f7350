import { pause } from '../concurrency/pause.ts';
import { type Release, releaseOnce } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { ImageRequest, RequestDefaults } from '../domain/image-request.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import { adaptRequest, type FittedRequest } from '../parameters/adapt.ts';
import type { AdaptationName } from '../parameters/adaptations.ts';
import { chooseHealthy } from '../targets/choose-target.ts';
import type { Target } from '../targets/model-catalog.ts';
import { repeatAfter } from '../targets/outcome.ts';
import type { RetryBudget } from '../targets/retry-budget.ts';
import type { TargetCall } from '../targets/target-health.ts';
import type { GatewayTimes } from '../targets/times.ts';
import { type Delivering, PaidAttempt } from './attempt.ts';
import { backoffMs, withJitter } from './backoff.ts';
import { fanOut } from './fan-out.ts';

export type AskParts = {
  /** The whole request; what is asked for may be a piece of it. */
  readonly request: ImageRequest;
  /** The targets that can serve the request, and what it becomes at each; never empty. */
  readonly fits: ReadonlyMap<Target, FittedRequest>;
  readonly policy: ParameterPolicy;
  /** What fills in the parameters that the caller has left out. */
  readonly defaults: RequestDefaults;
  readonly deliversPart: boolean;
  readonly delivering: Delivering;
  /** How many further paid calls may follow failed ones, over all pieces and targets. */
  readonly maxRetries: number;
  readonly retriesUnknown: boolean;
  /** When the generation's time is over, as of `performance.now()`. */
  readonly deadline: number;
  /** Whether it is the model's deadline, and not a shorter one of the caller's. */
  readonly isModelsDeadline: boolean;
  readonly budget: RetryBudget;
  readonly times: GatewayTimes;
  readonly random: () => number;
};

/**
 * The paid calls of one generation. A call that is known to have made nothing is made again, at another target or after a
 * wait, within the retries and the deadline; one that may have made an image is not (RELIABILITY §3).
 */
export class AskTargets {
  readonly #parts: AskParts;
  readonly #targets: readonly Target[];
  readonly attempts: PaidAttempt[] = [];
  readonly #releases: Release[] = [];
  #retriesLeft: number;
  #unknownLeft: number;
  #calls = 0;
  #queueMs = 0;
  /** The pieces that were asked for, the whole request first; one that was split says so, and its pieces the rest. */
  readonly #pieces = new Set<Progress>();
  #isFannedOut = false;
  #retrying = 0;
  #endRetries: Release | undefined;
  /** What the last target was asked for; before the first one was, what that will probably be. */
  fitted: FittedRequest;

  constructor(parts: AskParts) {
    this.#parts = parts;
    this.#targets = [...parts.fits.keys()];
    this.fitted = this.#fit(parts.request, this.#likelyTarget());
    this.#retriesLeft = parts.maxRetries;
    this.#unknownLeft = parts.retriesUnknown ? 1 : 0;
  }

  /** What the gateway did for any of the pieces, and for their calls; before the first call, what that will probably be. */
  get adaptations(): readonly AdaptationName[] {
    const planned = [...this.#pieces].flatMap(({ adaptations }) => adaptations);
    const used = this.#pieces.size === 0 ? this.fitted.adaptations : planned;
    return [...new Set([...used, ...this.attempts.flatMap(({ adaptations }) => adaptations)])];
  }

  /** How long its calls have waited for a free slot at their targets. */
  get queueMs(): number {
    return this.#queueMs;
  }

  /** The images of a request, or of a piece of it. Rejects with the last failure when nothing is left to try. */
  async ask(piece: ImageRequest, before?: Progress): Promise<AsyncIterable<ImageEvent>> {
    const progress = progressAfter(before);
    this.#pieces.add(progress);
    try {
      return await this.#askRepeatedly(piece, progress);
    } catch (error) {
      // A later failure that made nothing does not undo an earlier one that may have been billed.
      throw progress.unknown !== undefined && madeNothing(error) ? progress.unknown : error;
    }
  }

  async #askRepeatedly(piece: ImageRequest, progress: Progress): Promise<AsyncIterable<ImageEvent>> {
    for (;;) {
      const { target, call } = await this.#nextTarget(progress);
      let legs: FittedRequest['legs'];
      try {
        legs = this.#legsAt(target, piece, progress);
        if (legs.length === 1) return await this.#call({ target, call }, legs[0], progress);
      } catch (error) {
        // It may not even have come to a call.
        call.release(performance.now());
        if (error instanceof SpentError) throw error.failure;
        if (!(error instanceof GatewayError)) throw error;
        await this.#allowRepeat(error, target, progress);
        continue;
      }
      call.release(performance.now());
      return this.#askForEach(piece, legs, progress);
    }
  }

  /** What a target is asked for. Of a piece that is split, the pieces say what the gateway does beside that. */
  #legsAt(target: Target, piece: ImageRequest, progress: Progress): FittedRequest['legs'] {
    this.fitted = this.#fit(piece, target);
    const { legs, adaptations } = this.fitted;
    progress.adaptations = legs.length > 1 ? ['n=fan-out'] : adaptations;
    return legs;
  }

  /** The one that will be asked first, as things are. */
  #likelyTarget(): Target {
    const choice = chooseHealthy(this.#targets, {
      tried: new Set(),
      now: performance.now(),
      random: this.#parts.random(),
    });
    return 'target' in choice ? choice.target : (this.#targets[0] as Target);
  }

  /** Throws what a target has against a piece that does not fit. */
  #fit(piece: ImageRequest, target: Target): FittedRequest {
    const { request, fits, policy, defaults } = this.#parts;
    const known = piece === request ? fits.get(target) : undefined;
    return known ?? adaptRequest(piece, { family: target.family, policy, defaults });
  }

  /** Lets go of everything that the calls hold, once the generation is settled. */
  release(): void {
    for (const release of this.#releases) release();
  }

  #askForEach(
    piece: ImageRequest,
    legs: FittedRequest['legs'],
    progress: Progress,
  ): Promise<AsyncIterable<ImageEvent>> {
    this.#isFannedOut = true;
    const starts = legs.map(
      ({ count }) =>
        () =>
          this.ask({ ...piece, count }, progress),
    );
    return fanOut(starts, { isStream: piece.stream, deliversPart: this.#parts.deliversPart });
  }

  async #call({ target, call }: Chosen, leg: ImageRequest, progress: Progress): Promise<AsyncIterable<ImageEvent>> {
    const { signal } = this.#parts.delivering;
    const endBudget = this.#permit(target, progress);
    let endSlot: Release | undefined;
    const release = () => {
      endSlot?.();
      endBudget();
    };
    this.#releases.push(release);
    try {
      const queuedAt = performance.now();
      // What the others have cost would be lost with a later call that is sent away.
      const isPatient = this.#calls > 0;
      this.#calls += 1;
      endSlot = await target.health.slots.acquire(signal, { isPatient });
      const queueMs = performance.now() - queuedAt;
      this.#queueMs += queueMs;
      // The queue may have been left and the signal raised in the same moment.
      signal.throwIfAborted();
      const events = await this.#attempt({ target, call }, asSent(leg, target), queueMs);
      // Images that wait for those of other calls must not keep these from their slot.
      if (leg.stream && !this.#isFannedOut) return endingWith(release, events);
      release();
      return events;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #attempt({ target, call }: Chosen, request: ImageRequest, queueMs: number): Promise<AsyncIterable<ImageEvent>> {
    const attempt = new PaidAttempt(target, request, this.#parts.delivering, queueMs);
    this.attempts.push(attempt);
    try {
      const events = await attempt.start();
      call.succeeded();
      return events;
    } catch (error) {
      if (this.#isTargetToBlame()) call.failed(error, performance.now());
      throw error;
    }
  }

  /** A caller that leaves, a shutdown, and a deadline that the caller has shortened say nothing about the target. */
  #isTargetToBlame(): boolean {
    const { delivering, isModelsDeadline } = this.#parts;
    const { aborted, reason } = delivering.signal;
    return !aborted || (isModelsDeadline && reason instanceof GatewayError && reason.kind === 'upstream_timeout');
  }

  /**
   * Counts the call, as a retry if it is one. A target that has not been asked yet, for what was not even begun elsewhere,
   * is no retry: it adds nothing to the load of any target.
   */
  #permit(target: Target, { last, tried }: Progress): Release {
    const { budget, delivering } = this.#parts;
    if (last === undefined || (last.outcome === 'not-processed' && !tried.has(target))) return budget.startCall();
    const end = this.#startRetry(last);
    if (last.outcome === 'unknown') delivering.recorder.unknownRepeated(target.provider.id);
    return end;
  }

  /** A request counts once among the retries of the process, however many of its calls are repeated. */
  #startRetry(last: GatewayError): Release {
    this.#endRetries ??= this.#parts.budget.startRetry();
    if (this.#endRetries === undefined) throw new SpentError(last);
    this.#retrying += 1;
    return releaseOnce(() => {
      this.#retrying -= 1;
      if (this.#retrying > 0) return;
      this.#endRetries?.();
      this.#endRetries = undefined;
    });
  }

  /** The target for the next call, after the wait that all of them may ask for. */
  async #nextTarget({ useless, tried, last }: Progress): Promise<Chosen> {
    const { delivering, random } = this.#parts;
    for (;;) {
      const now = performance.now();
      // Never empty: where the last one proves to be of no use, the request ends.
      const candidates = this.#targets.filter((target) => !useless.has(target));
      const choice = chooseHealthy(candidates, { tried, now, random: random() });
      if ('target' in choice) {
        // Before anybody else chooses: one call is enough to try a target that has failed.
        return { target: choice.target, call: choice.target.health.start(now) };
      }
      const { until, askedUntil, error } = choice.coolDown;
      const waitMs = until - now;
      // Whoever was refused itself is told what the target asked for; others, when it will be tried again.
      if (!this.#hasTimeFor(waitMs)) {
        throw (last ?? error).with({ retryAfterMs: Math.ceil(last ? askedUntil - now : waitMs) });
      }
      await pause(withJitter(waitMs, random()), delivering.signal);
    }
  }

  /** Decides about a failure: resolves after the backoff where the call may be made again, and else rejects with it. */
  async #allowRepeat(error: GatewayError, target: Target, progress: Progress): Promise<void> {
    const targets = this.#targets;
    const { delivering, times, random } = this.#parts;
    const { useless, tried, failures } = progress;
    delivering.signal.throwIfAborted();
    const repeat = repeatAfter(error);
    const oddity = `${error.kind} at ${target.name}`;
    if (repeat === 'nowhere' || (repeat === 'once more' && progress.oddities.has(oddity))) throw error;
    if (repeat === 'if allowed' && this.#unknownLeft === 0) throw error;
    if (repeat === 'if allowed') {
      this.#unknownLeft -= 1;
      progress.unknown = error;
    }
    if (repeat === 'elsewhere') useless.add(target);
    // The same target is to be asked once more.
    if (repeat === 'once more') progress.oddities.add(oddity);
    else tried.add(target);
    progress.last = error;
    progress.failures += 1;
    const others = targets.filter((other) => !useless.has(other) && !tried.has(other));
    if (targets.every((other) => useless.has(other)) || this.#retriesLeft === 0) throw error;
    this.#retriesLeft -= 1;
    // What a target asked for is waited for where the next one is chosen.
    const isAtOnce = others.length > 0 || error.retryAfterMs !== undefined;
    const waitMs = isAtOnce ? 0 : backoffMs(failures, times, random());
    if (waitMs >= this.#leftMs()) throw error;
    if (waitMs > 0) await pause(waitMs, delivering.signal);
  }

  #leftMs(): number {
    return Math.max(0, this.#parts.deadline - performance.now());
  }

  #hasTimeFor(waitMs: number): boolean {
    const { maxWaitMs, minLeftMs } = this.#parts.times;
    return waitMs <= maxWaitMs && this.#leftMs() - waitMs >= minLeftMs;
  }
}

/** A target that will be called, and the call as its health sees it: whoever gets it ends it. */
type Chosen = { readonly target: Target; readonly call: TargetCall };

/** The process has no retry left for the failure that was to be repeated. */
class SpentError extends Error {
  readonly failure: GatewayError;

  constructor(failure: GatewayError) {
    super('no retry is left', { cause: failure });
    this.failure = failure;
  }
}

async function* endingWith<T>(release: Release, events: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* events;
  } finally {
    release();
  }
}

/** What one piece has met so far. */
type Progress = {
  /** Targets that cannot serve anybody at the moment. */
  readonly useless: Set<Target>;
  readonly tried: Set<Target>;
  /** Failures that are believed once. */
  readonly oddities: Set<string>;
  failures: number;
  last: GatewayError | undefined;
  /** The failure that was repeated although it may have been billed. */
  unknown: GatewayError | undefined;
  /** What the gateway does for it at the target that it was fitted to last. */
  adaptations: FittedRequest['adaptations'];
};

/** A piece goes on where the request that it is a piece of has stopped. */
function progressAfter(before: Progress | undefined): Progress {
  const { useless, tried, oddities, failures = 0, last, unknown } = before ?? {};
  return {
    useless: new Set(useless),
    tried: new Set(tried),
    oddities: new Set(oddities),
    failures,
    last,
    unknown,
    adaptations: [],
  };
}

function madeNothing(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  return error.outcome === 'not-processed' || error.outcome === 'failed' || error.kind === 'overloaded';
}

/** A call of one image may go over the upstream's stream, because quiet connections are reported to be cut there. */
function asSent(leg: ImageRequest, { family, upstreamStream }: Target): ImageRequest {
  const isCollapsed = upstreamStream === 'always' && family.streams && !leg.stream && leg.count === 1;
  // A stream carries base64, whatever the caller gets in the end.
  return isCollapsed ? { ...leg, stream: true, partialImages: 1, delivery: undefined } : leg;
}
