import type { JobId, JobStore } from '../domain/job-store.ts';
import { RetryBudget } from '../targets/retry-budget.ts';
import type { Generation } from './generation.ts';

type Follower = { readonly isBackground: boolean; cancel(why: 'shutdown'): void };

/** What a process has in flight, whichever configuration each request began with. */
export class InFlight {
  readonly store: JobStore;
  readonly budget = new RetryBudget();
  /** The time of jobs and images: Unix, in milliseconds, without the jumps of the wall clock. */
  readonly now: () => number;
  /** For how long an equal request, which does not say that it is a retry, may rejoin what its client has left. */
  lingerMs: number;
  /** Those that run, and those whose end is not recorded yet. */
  readonly #generations = new Map<JobId, Generation>();
  /** Until when each consumer might rejoin what one of its clients has left. */
  readonly #left = new Map<string, number>();
  readonly #idle = new Set<() => void>();
  readonly #startedAt = performance.now();
  /** Readers of what other processes run. */
  readonly #followers = new Set<Follower>();
  readonly #ending = new AbortController();
  /** Aborted when the process begins to stop. */
  readonly ending = this.#ending.signal;
  /** Whether nothing may begin any more. */
  isClosed = false;
  /** Whether what loses its client is left to whoever starts next, where that can follow it. */
  parksOrphans = false;

  constructor(
    store: JobStore,
    { lingerMs, now = Date.now }: { readonly lingerMs: number; readonly now?: () => number },
  ) {
    this.store = store;
    this.lingerMs = lingerMs;
    this.now = now;
  }

  /** How many generations run. */
  get running(): number {
    return this.#running.length;
  }

  /** How many of them have lost their client. */
  get orphans(): number {
    return this.#running.filter(({ isOrphan }) => isOrphan).length;
  }

  /** Whether jobs outlive the process. */
  get isDurable(): boolean {
    return this.store.orphanMs === Number.POSITIVE_INFINITY;
  }

  /** Whether nothing new begins any more: whoever starts next goes on. */
  get isEnding(): boolean {
    return this.isClosed || this.parksOrphans;
  }

  add(generation: Generation): void {
    this.#generations.set(generation.id, generation);
  }

  find(job: JobId): Generation | undefined {
    return this.#generations.get(job);
  }

  /** A job that was given up may run again under its id. */
  remove(generation: Generation): void {
    if (this.#generations.get(generation.id) === generation) this.#generations.delete(generation.id);
  }

  /** A reader of what another process runs, until `until` settles. */
  follow(follower: Follower, until: Promise<unknown>): void {
    this.#followers.add(follower);
    const remove = () => this.#followers.delete(follower);
    until.then(remove, remove);
    if (this.isClosed) follower.cancel('shutdown');
  }

  /** One of them runs no more. */
  noteSettled(): void {
    if (this.#idle.size === 0 || this.running > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }

  /** A client of this consumer has left something that an equal request may rejoin. */
  noteLeft(consumer: string): void {
    this.#left.set(consumer, performance.now() + this.lingerMs);
  }

  /** Whether an equal request of this consumer might rejoin something, although it does not say that it is a retry. */
  mayRejoin(consumer: string): boolean {
    // What an earlier process has left is known to the store alone.
    if (this.isDurable && performance.now() < this.#startedAt + this.lingerMs) return true;
    const until = this.#left.get(consumer);
    if (until === undefined) return false;
    if (until > performance.now() || this.#running.some(({ isOrphan }) => isOrphan)) return true;
    this.#left.delete(consumer);
    return false;
  }

  /** Gives up what can be followed by its handles and has no reader: whoever starts next goes on with it. */
  parkOrphans(): void {
    this.parksOrphans = true;
    this.#ending.abort();
    for (const follower of this.#followers) if (follower.isBackground) follower.cancel('shutdown');
    for (const generation of this.#running) if (!generation.hasReaders && generation.isParkable) generation.park();
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    if (this.running > 0) await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  /** Resolves when everything has ended, and it was tried to record that. */
  async recorded(): Promise<void> {
    await this.settled();
    await Promise.all([...this.#generations.values()].map(({ journal }) => journal.recorded));
  }

  /** Ends everything that is running, so that each client still gets a response. */
  cancelAll(): void {
    // An upload may be complete only now.
    this.isClosed = true;
    for (const generation of this.#running) {
      if (generation.isParkable) generation.park();
      else generation.cancel('shutdown');
    }
    for (const follower of this.#followers) follower.cancel('shutdown');
  }

  get #running(): Generation[] {
    return [...this.#generations.values()].filter(({ isSettled }) => !isSettled);
  }
}
