import type { Release } from '../concurrency/semaphore.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, GenerationReport, GenerationState, Settlement } from '../domain/generation-reader.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { JobEnd, JobId, StoredEvent } from '../domain/job-store.ts';
import { isTargetFault } from '../targets/outcome.ts';
import { AttachedReader, type Reading } from './attached-reader.ts';
import { endOf, imageIds, jobEndOf, outcomeOf, type Settled } from './ends.ts';
import type { GenerationCalls } from './failover.ts';
import { createWork, type GenerationParts } from './generation-parts.ts';
import { defaultDelivery, type Progress, recordEnd, reportOf, storedResponse } from './generation-report.ts';
import { hasEnded, type Interruption, interruptionError, parkedError } from './interruption.ts';
import type { Journal } from './journal.ts';
import { evictableAfterMs, type Keeping } from './keeping.ts';
import { blameTargets, endsWhenCancelled } from './upstream-call.ts';

/**
 * One request, from its start until it is settled. It owns what the request holds (permits, inputs, calls), has one deadline
 * over everything (queue, calls, waits, transfer), and belongs to no connection: readers attach and leave beside it. A response
 * that is kept is read from the store; any other one passes to its only reader.
 */
export class Generation {
  readonly id: JobId;
  readonly #parts: GenerationParts;
  readonly #calls: GenerationCalls;
  readonly journal: Journal;
  readonly #keeping: Keeping;
  readonly #interrupt = new AbortController();
  readonly signal = this.#interrupt.signal;
  readonly #readers = new Set<AttachedReader>();
  readonly #begin = performance.now();
  readonly #deadline: NodeJS.Timeout;
  readonly #outcome: Promise<AsyncIterable<ImageEvent>>;
  /** No client waits for it; a request may have been promised that later. */
  isBackground: boolean;
  /** Set by this class alone. */
  state: GenerationState = { name: 'queued' };
  #permitMs = 0;
  #knownAt: number | undefined;
  #releasePermit: Release | undefined;
  /** While it runs without a reader. */
  #linger: NodeJS.Timeout | undefined;
  #stored: readonly StoredEvent[] = [];

  constructor(parts: GenerationParts) {
    const { lease, timeoutMs, inFlight } = parts;
    this.id = lease.job;
    this.#parts = parts;
    this.isBackground = parts.isBackground;
    const { keeping, journal, calls } = createWork(parts, {
      signal: this.signal,
      deadline: this.#begin + timeoutMs,
      readers: (isPartial) => [...this.#readers].filter((reader) => reader.wantsBytes(isPartial)),
      isParked: () => this.state.name === 'parked',
    });
    this.#keeping = keeping;
    this.journal = journal;
    this.#calls = calls;
    this.#deadline = setTimeout(() => {
      // What was taken over has had the time that its upstream keeps it.
      const isAwaited = parts.isKeyed || this.isBackground;
      if (isAwaited && parts.earlier === undefined && this.journal.isDispatched && this.isParkable) this.park();
      else this.cancel('deadline');
    }, timeoutMs);
    inFlight.add(this);
    this.#outcome = this.#run();
    this.#outcome.catch((error) => {
      this.#readers.clear();
      // Calls that still ran when another one failed were given up: they may have been billed.
      this.#settle('abandoned', error);
      this.#closeUnread();
    });
  }

  get isSettled(): boolean {
    return !['queued', 'running', 'ready', 'delivering'].includes(this.state.name);
  }

  get hasReaders(): boolean {
    return this.#readers.size > 0;
  }

  /** Its client has left. */
  get isOrphan(): boolean {
    return !this.isBackground && !this.hasReaders;
  }

  /** Whether whoever takes the job over can go on with it: by its handles, or because nothing was sent. */
  get isParkable(): boolean {
    // What is known whole is recorded in a moment.
    const isUnderWay = ['running', 'delivering'].includes(this.state.name) && this.#stored.length === 0;
    const isUnsent = this.isBackground && !this.journal.isDispatched;
    return this.#parts.inFlight.isDurable && (isUnsent || (isUnderWay && this.#calls.isFollowable));
  }

  /** What has happened so far. */
  get report(): GenerationReport {
    return reportOf(this.#progress);
  }

  /** A further reader. Only a response that is kept can have several. */
  attach(reading: Omit<Reading, 'response' | 'fallback'>): GenerationReader {
    clearTimeout(this.#linger);
    const own = { response: this.#keeping.readable, fallback: () => defaultDelivery(this.#calls) };
    const reader = new AttachedReader(this, this.#outcome, { ...reading, ...own });
    this.#readers.add(reader);
    return reader;
  }

  /** Ends it early: the upstream connection is closed, polls and downloads stop. */
  cancel(why: Interruption): void {
    const { calls, isOpen } = this.#calls;
    this.#interrupt.abort(interruptionError(why, { isOpen, isTried: calls.length > 0 }));
    // No reader will observe the abort, so settle here.
    if (this.state.name === 'ready') this.#settle('abandoned', this.signal.reason);
  }

  /** Whether it ends at once when its client wants that: nothing is billed, or its upstream can be asked to end it. */
  get isCancellable(): boolean {
    return ['queued', 'running'].includes(this.state.name) && this.#calls.calls.every(endsWhenCancelled);
  }

  /** Ends it here only: its accepted work goes on, and whoever takes the job over follows it. */
  park(): void {
    const { inFlight, context } = this.#parts;
    const error = parkedError({ ...this.#parts, isBackground: this.isBackground });
    this.state = { name: 'parked', error };
    clearTimeout(this.#deadline);
    this.#interrupt.abort(error);
    recordEnd(this.#progress, context, { how: 'abandoned', outcome: undefined, error, isParked: true });
    this.#release();
    void this.journal.release().then(() => inFlight.remove(this));
    inFlight.noteSettled();
    this.#closeUnread();
  }

  /** The events for a reader to which they pass; called when it begins to read. */
  pass(events: AsyncIterable<ImageEvent>): AsyncIterator<ImageEvent> {
    if (this.state.name === 'ready') this.state = { name: 'delivering' };
    return events[Symbol.asyncIterator]();
  }

  /** A reader's client has disconnected. The last one leaves a response that goes on into the store, if it may be billed. */
  leave(reader: AttachedReader): void {
    if (this.state.name === 'delivering' && this.#keeping.reason === undefined) {
      // It settles when its response has broken off.
      if (this.#readers.has(reader)) this.cancel('client gone');
      return;
    }
    if (!this.#detach(reader) || this.#readers.size > 0 || this.isBackground) return;
    if (this.isSettled) this.journal.leave();
    else if (this.#parts.inFlight.store.orphanMs === 0 || !this.#calls.isOpen) this.#giveUp();
    else this.#orphan();
  }

  /** A reader's response has ended. */
  settleFor(reader: AttachedReader, how: Settlement, truncatedBy: unknown): void {
    if (this.#keeping.reason === undefined) {
      if (this.#detach(reader)) this.#settle(how, undefined, truncatedBy);
    } else if (how !== 'delivered') {
      this.leave(reader);
    } else if (this.#detach(reader) && this.#parts.isRetrievable) {
      this.#parts.inFlight.store.delivered(this.id);
      this.#allowEviction();
    }
  }

  /** Returns whether it was attached. */
  #detach(reader: AttachedReader): boolean {
    const wasAttached = this.#readers.delete(reader);
    this.#keeping.readersChanged();
    this.#closeUnread();
    return wasAttached;
  }

  #allowEviction(): void {
    const { inFlight, images } = this.#parts;
    images.mayEvict(imageIds(this.#stored), inFlight.now() + evictableAfterMs);
  }

  async #run(): Promise<AsyncIterable<ImageEvent>> {
    const { permits, admission } = this.#parts;
    try {
      await permits.granted;
      this.#releasePermit = await admission.acquire(this.signal);
      this.#permitMs = performance.now() - this.#begin;
      this.signal.throwIfAborted();
      this.state = { name: 'running' };
      const events = await this.#calls.run();
      // An interruption has also ended the calls whose images would be the delivered part.
      this.signal.throwIfAborted();
      if (this.#keeping.reason === undefined) this.state = { name: 'ready' };
      else this.#collect(events);
      return events;
    } finally {
      this.#knownAt = performance.now();
      // It may have ended in the very moment in which its permit was granted.
      if (this.isSettled) this.#releasePermit?.();
    }
  }

  /** Reads the response into the store, whoever reads it there. */
  #collect(events: AsyncIterable<ImageEvent>): void {
    const { request, isRetrievable } = this.#parts;
    this.state = { name: 'delivering' };
    const record = async (stored: readonly StoredEvent[]) => {
      this.#stored = stored;
      if (this.journal.isWanted) await this.journal.end(() => this.#jobEnd({ name: 'done' }));
    };
    this.#keeping.response.collect(events, { count: request.count, record }).then(
      () => {
        this.#settle('delivered');
        // It can be had only once more, and only for a while.
        if (!isRetrievable && this.#keeping.reason === 'kept') this.#allowEviction();
      },
      (error) => this.#settle('truncated', undefined, error),
    );
  }

  /** Its last client has left: what it has paid for goes into the store. */
  #orphan(): void {
    const { inFlight } = this.#parts;
    if (this.#keeping.reason !== 'kept') {
      this.#keeping.reason = 'kept';
      for (const call of this.#calls.calls) call.keep();
      if (this.state.name === 'ready') void this.#outcome.then((events) => this.#collect(events));
    }
    this.#leaveToRetry();
    if (inFlight.parksOrphans && this.isParkable) this.park();
    else if (!inFlight.isDurable) this.#linger = setTimeout(() => this.#giveUp(), inFlight.store.orphanMs);
  }

  /** What was paid for, or may have been, can be had again. */
  #leaveToRetry(): void {
    const { inFlight, consumer, isKeyed } = this.#parts;
    if (this.isBackground) return;
    if (!isKeyed) inFlight.noteLeft(consumer);
    this.journal.leave();
  }

  #giveUp(): void {
    this.cancel('client gone');
    this.#settle('abandoned');
  }

  #settle(how: Settlement, failure?: unknown, truncatedBy?: unknown): void {
    if (this.isSettled) return;
    const { inFlight, images, context, isRetrievable } = this.#parts;
    const error = failure ?? (how === 'truncated' ? truncatedBy : undefined);
    const isKept = this.#keeping.reason !== undefined;
    const end = endOf({ how, error, mayBeBilled: this.#calls.isOpen, isKept, isRetrievable });
    this.state = end;
    clearTimeout(this.#deadline);
    clearTimeout(this.#linger);
    recordEnd(this.#progress, context, { how, outcome: outcomeOf(how, failure), error, isParked: false });
    const isTruncated = how === 'truncated' && !this.signal.aborted;
    if (isTruncated && error instanceof GatewayError && isTargetFault(error)) blameTargets(this.#calls.calls);
    this.#release();
    // A client's own retry must learn of it, and not buy again.
    if (end.name === 'unknown') this.#leaveToRetry();
    void this.journal.end(() => this.#jobEnd(end));
    void this.journal.finished.then(() => inFlight.remove(this));
    // What is stored of a response that nobody will get needs no room.
    if (isKept && end.name !== 'done') for (const { imageIds } of this.#calls.calls) images.mayEvict(imageIds, 0);
    inFlight.noteSettled();
    this.#closeUnread();
  }

  #jobEnd(end: Settled): JobEnd {
    return jobEndOf(end, storedResponse(this.#progress, this.#stored));
  }

  get #progress(): Progress {
    return {
      ...this.#parts,
      id: this.id,
      calls: this.#calls,
      hasImages: ['ready', 'delivering', 'done'].includes(this.state.name),
      startedAt: this.#begin,
      knownAt: this.#knownAt,
      permitMs: this.#permitMs,
    };
  }

  #release(): void {
    const { permits, request, isBackground } = this.#parts;
    const { calls } = this.#calls;
    // Whatever is still open (a body, a poll, a download) ends with the signal.
    this.#interrupt.abort(hasEnded);
    for (const { permit } of calls) permit[Symbol.dispose]();
    this.#releasePermit?.();
    permits.release(calls.some(({ attempt }) => attempt.sent));
    // Those of a job in the background are kept for whoever may have taken it over, until its end is recorded.
    if (!isBackground) void request.edit?.inputs.release();
  }

  #closeUnread(): void {
    if (this.isSettled && this.#readers.size === 0) this.#keeping.close(imageIds(this.#stored));
  }
}
