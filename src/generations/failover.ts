import { pause } from '../concurrency/pause.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { QuotaGrant } from '../domain/quota-pools.ts';
import { type AdaptedRequest, adaptRequest } from '../parameters/adapt.ts';
import type { AdaptationName } from '../parameters/adaptations.ts';
import { convertsInputs } from '../parameters/input-conversion.ts';
import type { Plan } from '../parameters/plan.ts';
import { type Choice, chooseHealthy } from '../targets/choose-target.ts';
import type { LogicalModel, Target } from '../targets/model-catalog.ts';
import { repeatAfter } from '../targets/outcome.ts';
import { GenerationRetries, type RetryBudget, RetryBudgetSpentError } from '../targets/retry-budget.ts';
import type { GatewayTimes } from '../targets/times.ts';
import { backoffMs, withJitter } from './backoff.ts';
import { mayCost } from './billing.ts';
import { ConvertedInputs } from './converted-inputs.ts';
import { fanOut } from './fan-out.ts';
import { type Leg, legAfter } from './leg.ts';
import { QuotaTurns } from './quota-turns.ts';
import { askedIn, asSent } from './sent-request.ts';
import { type CallContext, UpstreamCall } from './upstream-call.ts';

type FailoverParts = {
  /** The whole request; a leg is a piece of it. */
  readonly request: ImageRequest;
  readonly model: LogicalModel;
  readonly planned: Plan<Target>;
  readonly context: CallContext;
  /** Whether a call whose outcome is unknown may be repeated once. */
  readonly mayRepeatUnknown: boolean;
  /** Whether nobody waits for it: it may take its time for a permit. */
  readonly isBackground: boolean;
  readonly consumer: string;
  /** It is its turn in the pool of one of the targets. */
  readonly granted?: QuotaGrant | undefined;
  /** How many further paid calls may follow failed ones, over all legs and targets. */
  readonly maxRetries: number;
  /** When the generation's time is over, as of `performance.now()`. */
  readonly deadline: number;
  readonly budget: RetryBudget;
  readonly times: GatewayTimes;
  readonly random: () => number;
};

/** The calls that make the images of a generation. */
export interface GenerationCalls {
  /** Settles when the outcome is known. */
  run(): Promise<AsyncIterable<ImageEvent>>;
  readonly calls: readonly UpstreamCall[];
  /** What the upstream was asked for. */
  readonly asked: ImageRequest;
  /** What the gateway did itself to satisfy the request. */
  readonly adaptations: readonly AdaptationName[];
  /** Whether something was sent of which nobody knows yet whether it is billed. */
  readonly isOpen: boolean;
  /** Whether somebody else could go on with all of it, by the handles. */
  readonly isFollowable: boolean;
}

/**
 * The paid calls of one generation. Retries and fails over only when no image was made, within the retries and the
 * deadline; a call whose outcome is unknown is not repeated, unless the operator allows one repetition.
 */
export class Failover implements GenerationCalls {
  readonly #parts: FailoverParts;
  readonly #retries: GenerationRetries;
  readonly #inputs: ConvertedInputs;
  readonly #targets: readonly Target[];
  /** The legs that were begun, the whole request first; one that was split says so, and its own legs the rest. */
  readonly #legs: Leg[] = [];
  readonly calls: UpstreamCall[] = [];
  #retriesLeft: number;
  #unknownLeft: number;
  #started = 0;
  /** What the last target was asked for; before the first call, what the first target would be. */
  asked: ImageRequest;

  constructor(parts: FailoverParts) {
    this.#parts = parts;
    this.#retries = new GenerationRetries(parts.budget);
    this.#inputs = new ConvertedInputs(parts.context.converting, parts.consumer, parts.context.signal);
    this.#targets = parts.planned.candidates.map(({ target }) => target);
    this.#retriesLeft = parts.maxRetries;
    this.#unknownLeft = parts.mayRepeatUnknown ? 1 : 0;
    const [first] = parts.planned.candidates;
    this.asked = first ? askedIn(first.adapted, first.target.family) : parts.request;
  }

  /** What the gateway did for any of the legs; before the first call, what it would do at the first target. */
  get adaptations(): readonly AdaptationName[] {
    const planned =
      this.#legs.length === 0 ? this.#parts.planned.candidates.slice(0, 1).map(({ adapted }) => adapted) : this.#legs;
    return [...new Set([...planned, ...this.calls].flatMap(({ adaptations }) => adaptations))];
  }

  get isOpen(): boolean {
    return this.calls.some(({ isOpen }) => isOpen);
  }

  /** What was not sent yet cannot be followed. */
  get isFollowable(): boolean {
    const { request, model } = this.#parts;
    const open = this.calls.filter(({ isOpen }) => isOpen);
    const images = open.reduce((sum, call) => sum + call.request.count, 0);
    const isWhole = images === request.count || (model.partialSuccess === 'deliver' && images > 0);
    return isWhole && open.every(({ isFollowable }) => isFollowable);
  }

  /** The images of the request. Rejects with the last failure when nothing is left to try. */
  run(): Promise<AsyncIterable<ImageEvent>> {
    return this.#runLeg(this.#parts.request);
  }

  async #runLeg(piece: ImageRequest, before?: Leg): Promise<AsyncIterable<ImageEvent>> {
    const leg = legAfter(before, this.#legs.length);
    this.#legs.push(leg);
    const turns = this.#newTurns();
    try {
      for (;;) {
        // Where the last one proves to be of no use, the request ends.
        const useful = this.#targets.filter((target) => !leg.useless.has(target));
        const candidates = useful.filter((target) => !turns.isHopeless(target));
        if (candidates.length === 0) throw turns.tooLong(leg.last);
        const { tried } = leg;
        const facts = { tried, now: performance.now(), random: this.#parts.random(), quota: turns.known };
        const choice = chooseHealthy(candidates, facts);
        if (!('target' in choice)) {
          await this.#waitFor(choice.coolDown, leg);
          continue;
        }
        const adapted = this.#adapt(piece, choice.target);
        const { legs, adaptations, conversion } = adapted;
        leg.adaptations = legs.length > 1 ? ['n=fan-out'] : adaptations;
        this.asked = askedIn(adapted, choice.target.family);
        if (legs.length > 1) {
          turns.leave();
          return await this.#fanOut(piece, legs, leg);
        }
        const { quota, health, family } = choice.target;
        const request = convertsInputs(adaptations) ? this.#inputs.fitted(legs[0], family) : legs[0];
        if (request === undefined) {
          await this.#inputs.convert(legs[0], family).catch((error) => this.#leaveOut(choice.target, error, leg));
          continue;
        }
        // A turn that would wait for a permit keeps the turn from others.
        if (quota && !turns.allows(choice.target) && !health.permits.isFull) {
          await turns.advance(quota, legs[0].count);
          continue;
        }
        try {
          // In the tick of the choice: one call is enough to try a target that has failed.
          return await this.#call(choice.target, { request, conversion }, leg, turns);
        } catch (error) {
          await this.#allowRetry(error, choice.target, leg);
        }
      }
    } catch (error) {
      // A later failure that made nothing does not undo an earlier one that may have been billed.
      throw leg.unknown !== undefined && madeNothing(error) ? leg.unknown : error;
    } finally {
      turns.leave();
    }
  }

  /** Another target may take an image as it is that cannot be converted. Throws where there is none. */
  #leaveOut(target: Target, error: unknown, leg: Leg): void {
    leg.useless.add(target);
    const isOfImage = error instanceof GatewayError && error.kind === 'invalid_image_file';
    if (!isOfImage || this.#targets.every((other) => leg.useless.has(other))) throw leg.last ?? error;
  }

  /** Who is refused when its time is too short knows at once; a job that nobody waits for takes its time. */
  #newTurns(): QuotaTurns {
    const { consumer, context, times, isBackground, granted } = this.#parts;
    const keptMs = isBackground ? 0 : times.minLeftMs;
    return new QuotaTurns({
      consumer,
      signal: context.signal,
      patienceMs: () => this.#leftMs() - keptMs,
      // Made for the first leg.
      granted: this.#legs.length === 1 ? granted : undefined,
    });
  }

  /** What a target is asked for. Throws a GatewayError where it cannot serve a leg. */
  #adapt(piece: ImageRequest, target: Target): AdaptedRequest {
    const { request, planned, model } = this.#parts;
    const { defaults, canConvert } = planned;
    const known = planned.candidates.find((candidate) => candidate.target === target);
    if (piece === request && known !== undefined) return known.adapted;
    return adaptRequest(piece, { family: target.family, policy: model.parameters, defaults, canConvert });
  }

  async #call(
    target: Target,
    { request: piece, conversion }: Pick<UpstreamCall, 'request' | 'conversion'>,
    leg: Leg,
    turns: QuotaTurns,
  ): Promise<AsyncIterable<ImageEvent>> {
    const { context } = this.#parts;
    const { last, tried } = leg;
    // A target that has not been called yet, for what was not even begun elsewhere, adds nothing to the load of any target.
    const isRetry = last !== undefined && !(last.outcome === 'not-processed' && !tried.has(target));
    const isPatient = this.#started > 0 || this.#parts.isBackground;
    this.#started += 1;
    const kind = { isRetry, retries: this.#retries, isPatient };
    const { permit, turn } = await turns.acquire(target, kind, { images: piece.count, last });
    if (isRetry && last.outcome === 'unknown') context.recorder.unknownRepeated(target.provider.id);
    const request = asSent(piece, target);
    const call = new UpstreamCall(target, { leg: leg.number, request, conversion, turn }, permit, context);
    this.calls.push(call);
    // A stream holds its permit until it has ended; images that wait for those of other calls must not keep these from theirs.
    const isHeld = piece.stream && this.#legs.length === 1;
    try {
      const events = await call.run();
      if (isHeld) return endingWith(permit, events);
      permit[Symbol.dispose]();
      return events;
    } catch (error) {
      permit[Symbol.dispose]();
      throw error;
    }
  }

  #fanOut(piece: ImageRequest, legs: AdaptedRequest['legs'], leg: Leg): Promise<AsyncIterable<ImageEvent>> {
    const starts = legs.map(
      ({ count, extra: { seed } }) =>
        () =>
          this.#runLeg({ ...piece, count, extra: seed === undefined ? piece.extra : { ...piece.extra, seed } }, leg),
    );
    return fanOut(starts, { isStream: piece.stream, deliversPart: this.#parts.model.partialSuccess === 'deliver' });
  }

  /** Waits until the first of the targets may be called again. Rejects when that is too long. */
  async #waitFor({ until, askedUntil, error }: CoolDownChoice, { last }: Leg): Promise<void> {
    const { context, times, random } = this.#parts;
    const now = performance.now();
    // It may have passed since the choice.
    const waitMs = Math.max(0, until - now);
    const hasTime = waitMs <= times.maxWaitMs && this.#leftMs() - waitMs >= times.minLeftMs;
    // Whoever was refused itself is told what the target asked for; others, when it will be tried again.
    if (!hasTime) throw (last ?? error).with({ retryAfterMs: Math.ceil(last ? askedUntil - now : waitMs) });
    await pause(withJitter(waitMs, random()), context.signal);
  }

  /** Decides about a failure: resolves after the backoff where the call may be made again, and else rejects with it. */
  async #allowRetry(error: unknown, target: Target, leg: Leg): Promise<void> {
    if (error instanceof RetryBudgetSpentError) throw leg.last;
    if (!(error instanceof GatewayError)) throw error;
    const { context, times, random } = this.#parts;
    context.signal.throwIfAborted();
    const repeat = repeatAfter(error);
    const transient = `${error.kind} at ${target.name}`;
    if (repeat === 'nowhere' || (repeat === 'once more' && leg.transient.has(transient))) throw error;
    if (repeat === 'if allowed') {
      if (this.#unknownLeft === 0) throw error;
      this.#unknownLeft -= 1;
      leg.unknown = error;
    }
    if (repeat === 'elsewhere') leg.useless.add(target);
    // The same target is to be called once more.
    if (repeat === 'once more') leg.transient.add(transient);
    else leg.tried.add(target);
    leg.last = error;
    leg.failures += 1;
    const useful = this.#targets.filter((other) => !leg.useless.has(other));
    if (useful.length === 0 || this.#retriesLeft === 0) throw error;
    const failed = this.calls.findLast((call) => call.leg === leg.number);
    // What was reserved is for one call that may be billed.
    if (failed && mayCost(failed) && !(await context.account.reserveAgain(failed.request.count))) throw error;
    this.#retriesLeft -= 1;
    // What a target asked for is waited for where the next one is chosen.
    const isAtOnce = useful.some((other) => !leg.tried.has(other)) || error.retryAfterMs !== undefined;
    const waitMs = isAtOnce ? 0 : backoffMs(leg.failures - 1, times, random());
    if (waitMs >= this.#leftMs()) throw error;
    if (waitMs > 0) await pause(waitMs, context.signal);
  }

  #leftMs(): number {
    return Math.max(0, this.#parts.deadline - performance.now());
  }
}

type CoolDownChoice = Extract<Choice, { coolDown: unknown }>['coolDown'];

async function* endingWith<T>(permit: Disposable, events: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* events;
  } finally {
    permit[Symbol.dispose]();
  }
}

function madeNothing(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  return error.outcome === 'not-processed' || error.outcome === 'failed' || error.kind === 'overloaded';
}
