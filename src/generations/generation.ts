import type { Release } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, GenerationReport, GenerationState, Settlement } from '../domain/generation-reader.ts';
import type { ImageEvent, ImageFacts } from '../domain/image-event.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { JobEnd, JobId } from '../domain/job-store.ts';
import type { AttemptEnd } from '../domain/recorder.ts';
import { isTargetFault } from '../targets/outcome.ts';
import type { Admission, Permits } from './admission.ts';
import { AttachedReader } from './attached-reader.ts';
import { billOf, certainCostOf, sumOfBills } from './billing.ts';
import { Failover, type FailoverParts } from './failover.ts';
import type { InFlight } from './in-flight.ts';
import { type Interruption, interruptionError } from './interruption.ts';
import { SharedEvents } from './shared-events.ts';
import type { CallContext } from './upstream-call.ts';

type GenerationParts = Omit<FailoverParts, 'context' | 'deadline' | 'budget'> & {
  readonly id: JobId;
  readonly context: Omit<CallContext, 'signal' | 'retryUntil' | 'journal'>;
  readonly timeoutMs: number;
  readonly permits: Permits;
  readonly admission: Admission;
  readonly inFlight: InFlight;
};

/** Made once: every generation ends with it, nobody sees it, and an error's stack costs more than the rest of the end. */
const hasEnded = new GatewayError('internal_error', 'The generation has ended.');

/**
 * One request, from its start until it is settled. It owns what the request holds (permits, inputs, calls), has one deadline
 * over everything (queue, calls, waits, transfer), and belongs to no connection: readers attach and leave beside it.
 */
export class Generation {
  readonly id: JobId;
  readonly #parts: GenerationParts;
  readonly #failover: Failover;
  readonly #interrupt = new AbortController();
  readonly signal = this.#interrupt.signal;
  readonly #readers = new Set<AttachedReader>();
  readonly #begin = performance.now();
  readonly #deadline: NodeJS.Timeout;
  readonly #outcome: Promise<AsyncIterable<ImageEvent>>;
  /** Set by this class alone. */
  state: GenerationState = { name: 'queued' };
  #shared: SharedEvents<ImageEvent> | undefined;
  #permitMs = 0;
  #knownAt: number | undefined;
  #releasePermit: Release | undefined;
  /** While it runs without a reader. */
  #linger: NodeJS.Timeout | undefined;

  constructor(parts: GenerationParts) {
    const { id, timeoutMs, inFlight } = parts;
    const { signal } = this;
    const { store, budget } = inFlight;
    const deadline = this.#begin + timeoutMs;
    this.id = id;
    this.#parts = parts;
    // Free steps end a moment earlier, so that their own failure is reported, and not only that the time is over.
    const retryUntil = deadline - Math.min(1_000, timeoutMs / 10);
    const journal = { dispatch: () => store.dispatch(id), note: (handle: string) => store.note(id, handle) };
    const context = { ...parts.context, signal, retryUntil, journal };
    this.#failover = new Failover({ ...parts, context, deadline, budget });
    this.#deadline = setTimeout(() => this.cancel('deadline'), timeoutMs);
    inFlight.add(this);
    this.#outcome = this.#run();
    // Calls that still ran when another one failed were given up: they may have been billed.
    this.#outcome.catch((error) => this.#settle('abandoned', error));
  }

  get isSettled(): boolean {
    return !['queued', 'running', 'ready', 'delivering'].includes(this.state.name);
  }

  /** What has happened so far. */
  get report(): GenerationReport {
    const { model, request, maxRetries, timeoutMs, permits } = this.#parts;
    const { calls, adaptations, asked } = this.#failover;
    const target = calls.at(-1)?.target;
    const bill = sumOfBills(calls.map(billOf));
    const hasImages = this.state.name === 'ready' || this.state.name === 'delivering';
    const queueMs = calls.reduce((sum, { permit }) => sum + permit.queueMs, this.#permitMs);
    return {
      id: this.id,
      model: model.name,
      target: target?.name,
      provider: target?.provider.id,
      asked: factsOf(asked),
      adaptations,
      attempts: calls.length,
      sent: calls.some(({ attempt }) => attempt.sent),
      maxRetries,
      timeoutMs,
      queueMs,
      // Calls that wait at the same time count each.
      upstreamMs: this.#knownAt && Math.max(0, this.#knownAt - this.#begin - queueMs),
      startedAt: this.#begin,
      knownAt: this.#knownAt,
      bill,
      // The calls of a stream may not even have been made.
      costAhead: hasImages && !request.stream && bill.currency !== undefined ? certainCostOf(calls) : undefined,
      imageQuota: permits.imageQuota?.(),
      upstreamRequestId: calls.map(({ attempt }) => attempt.upstreamRequestId).findLast((id) => id !== undefined),
    };
  }

  /** A further reader. Once the images are being read, nobody can join any more. */
  attach(): GenerationReader {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.isSettled) this.#forget();
    const reader = new AttachedReader(this, this.#outcome);
    this.#readers.add(reader);
    return reader;
  }

  /** Ends it early: the upstream connection is closed, polls and downloads stop. */
  cancel(why: Interruption): void {
    const { calls } = this.#failover;
    const known = { isOpen: calls.some(({ isOpen }) => isOpen), isTried: calls.length > 0 };
    this.#interrupt.abort(interruptionError(why, known));
    // No reader will observe the abort, so settle here.
    if (this.state.name === 'ready') this.#settle('abandoned', this.signal.reason);
  }

  /** The events for one of the readers; called when it begins to read. */
  read(events: AsyncIterable<ImageEvent>): AsyncIterator<ImageEvent> {
    if (this.state.name === 'ready') {
      this.state = { name: 'delivering' };
      if (this.#readers.size > 1) this.#shared = new SharedEvents(events, this.#readers.size);
    }
    return this.#shared?.read() ?? events[Symbol.asyncIterator]();
  }

  /** A reader's client has disconnected. Ends what nobody reads any more, unless it may be billed and can be joined. */
  leave(reader: AttachedReader): void {
    if (this.isSettled || !this.#readers.has(reader)) return;
    const isLast = [...this.#readers].every((other) => other === reader || other.hasLeft);
    if (this.state.name === 'delivering') {
      if (isLast) this.cancel('client gone');
      // Whoever reads settles when its response has broken off; whoever has not begun has no response.
      if (!reader.hasBegun) this.settleFor(reader, 'abandoned', undefined);
      return;
    }
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    const { store } = this.#parts.inFlight;
    const { calls } = this.#failover;
    if (store.lingerMs > 0 && calls.some(({ isOpen }) => isOpen)) {
      store.orphan(this.id);
      this.#linger = setTimeout(() => this.#giveUp(), store.lingerMs);
    } else {
      this.#giveUp();
    }
  }

  /** A reader's response has ended. The last one settles the generation; it is delivered when any of them has all of it. */
  settleFor(reader: AttachedReader, how: Settlement, truncatedBy: unknown): void {
    if (!this.#readers.delete(reader)) return;
    if (!reader.hasBegun) void this.#shared?.drop();
    const best = this.state.name === 'delivering' && this.state.isDelivered ? 'delivered' : how;
    if (this.#readers.size === 0) this.#settle(best, undefined, truncatedBy);
    else if (best === 'delivered') this.state = { name: 'delivering', isDelivered: true };
  }

  async #run(): Promise<AsyncIterable<ImageEvent>> {
    const { signal } = this;
    const { permits, admission, request } = this.#parts;
    try {
      await permits.granted;
      this.#releasePermit = await admission.acquire(signal);
      this.#permitMs = performance.now() - this.#begin;
      signal.throwIfAborted();
      this.state = { name: 'running' };
      const events = await this.#failover.run(request);
      // An interruption has also ended the calls whose images would be the delivered part.
      signal.throwIfAborted();
      this.state = { name: 'ready' };
      return events;
    } finally {
      this.#knownAt = performance.now();
      // It may have ended in the very moment in which its permit was granted.
      if (this.isSettled) this.#releasePermit?.();
    }
  }

  #giveUp(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.isSettled) {
      this.#forget();
      return;
    }
    this.cancel('client gone');
    this.#settle('abandoned');
  }

  #settle(how: Settlement, failure?: unknown, truncatedBy?: unknown): void {
    if (this.isSettled) return;
    const mayBeBilled = this.#failover.calls.some(({ isOpen }) => isOpen);
    // What ended a response that another reader has whole, or whose client left, is that request's, not the generation's.
    const error = failure ?? (how === 'truncated' ? truncatedBy : undefined);
    this.state = endOf(how, error, mayBeBilled && failure !== undefined);
    clearTimeout(this.#deadline);
    this.#record(how, outcomeOf(how, failure), error);
    const isTruncated = how === 'truncated' && !this.signal.aborted;
    if (isTruncated && error instanceof GatewayError && isTargetFault(error)) this.#blameTargets();
    this.#release();
    // A retry of the client that has left learns how it ended.
    if (this.#linger === undefined) this.#forget();
  }

  #record(how: Settlement, outcome: AttemptEnd | undefined, error: unknown): void {
    const { context, request } = this.#parts;
    const { calls } = this.#failover;
    for (const call of calls) {
      context.recorder.attemptEnded(call.record(how));
      if (call.isShort) context.recorder.anomaly('fewer_images');
    }
    context.recorder.generationEnded({
      requestId: context.requestId,
      traceId: context.trace?.traceId,
      report: this.report,
      outcome,
      error,
      request,
      images: calls.reduce((sum, { made }) => sum + (made?.images ?? 0), 0),
      durationMs: performance.now() - this.#begin,
    });
  }

  /** A truncated response is one failure of its target, however many calls were needed for it; a refusal is none. */
  #blameTargets(): void {
    const truncated = this.#failover.calls.filter((call) => call.endWith('truncated') === 'truncated');
    const byTarget = new Map(truncated.map(({ target, permit }) => [target, permit]));
    for (const permit of byTarget.values()) permit.truncated();
  }

  #release(): void {
    const { permits, request } = this.#parts;
    const { calls } = this.#failover;
    // Whatever is still open (a body, a poll, a download) ends with the signal.
    this.#interrupt.abort(hasEnded);
    for (const { permit } of calls) permit[Symbol.dispose]();
    this.#releasePermit?.();
    permits.release(calls.some(({ attempt }) => attempt.sent));
    void request.edit?.inputs.release();
  }

  #forget(): void {
    const { inFlight } = this.#parts;
    inFlight.remove(this.id);
    void inFlight.store.finish(this.id, this.state as JobEnd);
  }
}

/** In the words of attempts; `undefined` for a failure that says nothing about a paid call. */
function outcomeOf(how: Settlement, failure: unknown): AttemptEnd | undefined {
  if (failure === undefined) return how;
  if (!(failure instanceof GatewayError)) return undefined;
  return failure.kind === 'client_gone' ? 'abandoned' : failure.outcome;
}

/** How a job ended, by how its response did, or by what the generation failed with. */
function endOf(how: Settlement, error: unknown, mayBeBilled: boolean): JobEnd {
  if (error === undefined) return { name: how === 'delivered' ? 'done' : 'cancelled' };
  if (!(error instanceof GatewayError)) return { name: 'failed', error };
  const { kind, outcome } = error;
  if (kind === 'client_gone') return { name: 'cancelled' };
  if (outcome === 'refused') return { name: 'refused', error };
  // Clients retry these by themselves, although an image of the request may have been made.
  if (how !== 'truncated' && (outcome === 'unknown' || mayBeBilled)) return { name: 'unknown', error };
  return { name: outcome === 'failed' || how === 'truncated' ? 'failed' : 'not_processed', error };
}

function factsOf({ size, quality, background, outputFormat }: ImageRequest): ImageFacts {
  const facts = { size, quality, background, outputFormat };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
