import type { JobId } from '../domain/job-store.ts';
import { RetryBudget } from '../targets/retry-budget.ts';
import type { Generation } from './generation.ts';
import { MemoryJobStore } from './memory-job-store.ts';

/** What a process has in flight, whichever configuration each request began with. */
export class InFlight {
  readonly store: MemoryJobStore;
  readonly budget = new RetryBudget();
  /** Those that run, and those that ended without a reader and may still be joined. */
  readonly #generations = new Map<JobId, Generation>();
  /** Whether nothing may begin any more. */
  isClosed = false;

  constructor(lingerMs: number) {
    this.store = new MemoryJobStore(lingerMs);
  }

  /** How many generations run. */
  get running(): number {
    return [...this.#generations.values()].filter(({ isSettled }) => !isSettled).length;
  }

  add(generation: Generation): void {
    this.#generations.set(generation.id, generation);
  }

  find(job: JobId): Generation | undefined {
    return this.#generations.get(job);
  }

  remove(job: JobId): void {
    this.#generations.delete(job);
  }

  /** Ends everything that is running, so that each client still gets a response. */
  cancelAll(): void {
    // An upload may be complete only now.
    this.isClosed = true;
    for (const generation of this.#generations.values()) generation.cancel('shutdown');
  }
}
