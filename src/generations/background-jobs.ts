import { pause } from '../concurrency/pause.ts';
import type { Release } from '../concurrency/semaphore.ts';
import type { JobEnd, JobId, JobLease } from '../domain/job-store.ts';
import type { QuotaGrant } from '../domain/quota-pools.ts';
import type { Admission, Permits } from './admission.ts';
import type { InFlight } from './in-flight.ts';
import { jobCancelled } from './interruption.ts';
import { persist } from './persist.ts';

/** A job for which no client waits, and of which nothing was sent yet. */
export type QueuedJob = {
  readonly lease: JobLease;
  readonly permits: Permits;
  /** The logical model: its jobs begin one after the other. */
  readonly model: string;
  /** Whether one of its targets has a permit at the moment. */
  hasRoom(): boolean;
  /**
   * Waits for its turn in the quota of its targets; `undefined`: it needs none. Rejects with the signal's reason, and when the
   * store is not available.
   */
  turn(signal: AbortSignal): Promise<QuotaGrant | undefined>;
  /**
   * Starts it. Resolves when its first call has its permits, or when it has ended without one.
   * @param permit of the process, which is the generation's from then on, as its turn is
   */
  begin(lease: JobLease, having: { readonly permit: Release; readonly granted: QuotaGrant | undefined }): Promise<void>;
  /** How it ended when it cannot be started. */
  endOf(error: unknown): JobEnd;
  /** Removes its inputs: it will not be run anywhere. Never rejects. */
  removeInputs(): Promise<void>;
  /** Gives back what is reserved for it here. */
  settle(): Promise<void>;
};

type Waiting = { readonly job: QueuedJob; lease: JobLease; readonly interrupt: AbortController };

/** How often it is looked whether a target has a permit again. */
const lookEveryMs = 50;

/** Made once: nobody sees it. */
const givenUp = new Error('the job is left to another process');

/**
 * Starts jobs in the order in which they came, as soon as a target of their model and the process have a permit. They wait as long
 * as that takes; meanwhile they hold none, so that those for whom a client waits come between them. Only one that had to wait for
 * the permit of the process holds that while it waits for its turn in a quota, as a request does.
 */
export class BackgroundJobs {
  readonly #admission: Pick<Admission, 'acquire' | 'tryAcquire'>;
  readonly #inFlight: InFlight;
  readonly #waiting = new Map<JobId, Waiting>();
  /** By model: resolves when the job that came last has begun, and all before it have. */
  readonly #begun = new Map<string, Promise<unknown>>();
  /** Jobs of which it is being recorded that they have ended, or were given up. */
  readonly #ending = new Set<Promise<unknown>>();

  constructor(admission: Pick<Admission, 'acquire' | 'tryAcquire'>, inFlight: InFlight) {
    this.#admission = admission;
    this.#inFlight = inFlight;
  }

  enqueue(job: QueuedJob): void {
    const waiting = { job, lease: job.lease, interrupt: new AbortController() };
    this.#waiting.set(job.lease.job, waiting);
    const before = this.#begun.get(job.model);
    const begun = Promise.all([before, this.#start(waiting, before)]);
    this.#begun.set(job.model, begun);
    void begun.then(() => {
      if (this.#begun.get(job.model) === begun) this.#begun.delete(job.model);
    });
    if (this.#inFlight.isEnding) waiting.interrupt.abort(givenUp);
  }

  /** This process was taken for dead, and has taken its own job over. Returns whether that waits here. */
  adopt(lease: JobLease): boolean {
    const waiting = this.#waiting.get(lease.job);
    if (waiting !== undefined) waiting.lease = lease;
    return waiting !== undefined;
  }

  /** Ends a job that waits here. Returns whether it did. */
  cancel(id: JobId): boolean {
    const waiting = this.#waiting.get(id);
    waiting?.interrupt.abort(jobCancelled());
    return waiting !== undefined;
  }

  /** Leaves all that waits to whoever starts next. */
  giveUp(): void {
    for (const { interrupt } of this.#waiting.values()) interrupt.abort(givenUp);
  }

  /** Resolves when nothing waits any more, and it was tried to record that. */
  async settled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  async #start(waiting: Waiting, before: Promise<unknown> | undefined): Promise<void> {
    const { job, interrupt } = waiting;
    const { signal } = interrupt;
    let permit: Release | undefined;
    let granted: QuotaGrant | undefined;
    try {
      await Promise.race([before, whenAborted(signal)]);
      while (!job.hasRoom()) await pause(lookEveryMs, signal);
      granted = await job.turn(signal);
      permit = this.#admission.tryAcquire();
      if (permit === undefined) {
        // The permit may take minutes: until then the turn would be kept from others, and pass.
        granted?.release();
        granted = undefined;
        permit = await this.#admission.acquire(signal, { isPatient: true });
        granted = await job.turn(signal);
      }
      this.#remove(waiting);
      // It may have been interrupted in the very moment in which the permit was granted.
      signal.throwIfAborted();
      await job.begin(waiting.lease, { permit, granted });
    } catch (error) {
      this.#remove(waiting);
      granted?.release();
      permit?.();
      job.permits.release(false);
      const ending = this.#end(waiting, error);
      this.#ending.add(ending);
      await ending;
      this.#ending.delete(ending);
    }
  }

  #remove({ job }: Waiting): void {
    this.#waiting.delete(job.lease.job);
  }

  async #end({ job, lease }: Waiting, error: unknown): Promise<void> {
    const { store } = this.#inFlight;
    if (error === givenUp) {
      await persist(() => store.release(lease));
      return;
    }
    await persist(async () => {
      await store.finish(lease, job.endOf(error));
      // Whoever has taken it over needs them.
      await job.removeInputs();
    });
    await job.settle();
  }
}

/** Rejects with the signal's reason. */
function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
