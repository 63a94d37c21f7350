import { setImmediate } from 'node:timers/promises';
import { OrderedSteps } from '../../concurrency/ordered-steps.ts';
import type {
  Claimed,
  DeliveredImages,
  JobAttempt,
  JobClaim,
  JobEnd,
  JobId,
  JobLease,
  JobStore,
  JobStoreFigures,
  JobTransactions,
  TakenJob,
} from '../../domain/job-store.ts';
import type { ClaimResult } from './claim-rows.ts';
import { type JobValues, valuesOf } from './claim-values.ts';
import type { JobOwner } from './job-owner.ts';
import type { DeliveredPage } from './job-rows.ts';
import { jobStoreFailure, OperationFailure } from './operation-failure.ts';
import { type OperationRunner, runOrFail } from './operations.ts';
import { type OwnJob, OwnJobs } from './own-jobs.ts';
import { SqlJobRecords } from './sql-job-records.ts';

/** What can be changed while the gateway runs, in milliseconds. */
export type JobLimits = {
  /** How long a job with a key is kept after its end. */
  keepMs: number;
  /** How long a job without a key, whose client has left, is kept after its end. */
  rejoinMs: number;
  orphanMs: number;
};

/** All jobs may be too many for the memory, and for one statement. */
const deliveredAtOnce = 1_000;

/** Jobs in a database, which several processes may share. */
export class SqlJobStore implements JobStore {
  keepMs: number;
  rejoinMs: number;
  orphanMs: number;
  readonly #fingerprintVersion: number;
  /** For whatever else is kept in the same database. */
  readonly owner: JobOwner;
  readonly runner: OperationRunner;
  readonly #own = new OwnJobs();
  /** A database with several connections would overtake what was written about a job before. */
  readonly #writes = new OrderedSteps();
  readonly #departures = new OrderedSteps();
  readonly records: SqlJobRecords;
  readonly #claiming = new Set<Promise<unknown>>();
  #delivered: JobId[] = [];
  #forgotten: (readonly [job: JobId, epoch: number])[] = [];
  #mayHaveLostJobs = false;
  #closed: Promise<void> | undefined;

  constructor(runner: OperationRunner, owner: JobOwner, fingerprintVersion: number, limits: JobLimits) {
    this.runner = runner;
    this.owner = owner;
    this.#fingerprintVersion = fingerprintVersion;
    this.records = new SqlJobRecords(runner, owner);
    this.keepMs = limits.keepMs;
    this.rejoinMs = limits.rejoinMs;
    this.orphanMs = limits.orphanMs;
  }

  /** See {@link JobOwner.now}. */
  now(): number {
    return this.owner.now();
  }

  /** See {@link JobOwner.isSole}. */
  isSole(): Promise<boolean> {
    return this.owner.isSole();
  }

  get keepsOrder(): boolean {
    return this.runner.keepsOrder;
  }

  async claim(claim: JobClaim): Promise<Claimed> {
    const rejoinMs = Math.min(claim.rejoinMs, this.rejoinMs);
    // A process that was taken for dead has another name afterwards.
    const currentValues = () => valuesOf(claim, this.owner.id, this.#fingerprintVersion);
    if (!claim.isRetrievable && rejoinMs <= 0) return this.#own.claimed(currentValues(), claim, undefined);
    const claiming = this.#asOwner(async () => {
      const values = currentValues();
      return this.#own.claimed(values, claim, await this.#find(values, claim, rejoinMs));
    });
    this.#claiming.add(claiming);
    try {
      return await claiming;
    } finally {
      this.#claiming.delete(claiming);
    }
  }

  async read(job: JobId): Promise<JobEnd | undefined | 'gone'> {
    if (this.#own.get(job)?.row === 'none') return undefined;
    const row = await runOrFail(this.runner, 'read', job, this.now());
    if (row === undefined) return 'gone';
    const [state, end] = row;
    return state === 'running' ? undefined : JSON.parse(end ?? '');
  }

  async dispatch(lease: JobLease, attempts: readonly JobAttempt[], isRepeated: boolean): Promise<void> {
    const own = this.#own.get(lease.job);
    if (own?.row === 'none' || own?.row === 'maybe') return await this.#dispatchFirst(own, attempts, isRepeated);
    await this.#write(lease, attempts, isRepeated);
  }

  async note(lease: JobLease, attempts: readonly JobAttempt[]): Promise<void> {
    await this.#write(lease, attempts, false);
  }

  async orphan(lease: JobLease): Promise<void> {
    const own = this.#own.get(lease.job);
    if (own?.isKeyed) return;
    if (own !== undefined) own.orphanedAt = this.now();
    if (own?.row === 'none') return;
    const at = this.now();
    await this.#leave(lease.job, () => runOrFail(this.runner, 'orphan', lease.job, lease.epoch, at));
  }

  async finish({ job, epoch }: JobLease, end: JobEnd, isRefused = false): Promise<void> {
    const own = this.#own.get(job);
    if (own?.row !== 'none') {
      const isRetrievable = own?.isRetrievable ?? false;
      const at = this.now();
      const expiresAt = at + (isRetrievable ? this.keepMs : this.rejoinMs);
      const attempts = own?.attempts ?? '';
      const orphanedAt = own?.orphanedAt ?? null;
      const kept = { isRetrievable, isRefused, attempts, at, expiresAt, orphanedAt };
      const ending = { state: end.name, response: JSON.stringify(end), ...kept };
      await this.#writes.run(job, () => runOrFail(this.runner, 'finish', job, epoch, ending));
    }
    this.#own.delete(job);
  }

  forget({ job, epoch }: JobLease): void {
    if (this.#own.get(job)?.row !== 'none') this.#forgotten.push([job, epoch]);
    this.#own.delete(job);
  }

  delivered(job: JobId): void {
    this.#delivered.push(job);
  }

  putBack(job: JobId): void {
    // What is lost here is taken until this process ends.
    this.#leave(job, () => this.runner.run('putBack', job, this.owner.id)).catch(() => {});
  }

  async release({ job, epoch }: JobLease): Promise<void> {
    if (this.#own.get(job)?.row === 'none') return;
    await this.#writes.run(job, () => runOrFail(this.runner, 'release', job, epoch));
  }

  async takeOver(): Promise<readonly TakenJob[]> {
    if (this.#mayHaveLostJobs) await this.#giveUpLostJobs();
    return await this.#asOwner(async () => {
      await this.owner.buryDead();
      const rows = await this.runner.run('takeOver', this.owner.id, this.now());
      return rows.map((row) => this.#own.taken(row));
    });
  }

  async *deliveredImages(): AsyncGenerator<DeliveredImages> {
    await this.flush();
    for (let after: string | undefined = ''; after !== undefined; ) {
      const { jobs, last }: DeliveredPage = await runOrFail(this.runner, 'delivered', after, deliveredAtOnce);
      for (const [attempts, endedAt] of jobs) {
        yield { images: (JSON.parse(attempts) as JobAttempt[]).flatMap(({ images }) => images), endedAt };
      }
      after = last;
    }
  }

  get transactions(): JobTransactions {
    const { commits, changes } = this.runner;
    return { commits, changes };
  }

  async figures(): Promise<JobStoreFigures> {
    const rows = Object.fromEntries(await runOrFail(this.runner, 'states'));
    return { rows, ...this.transactions };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Writes what nobody waits for: many at once, with what somebody waits for. */
  async flush(): Promise<void> {
    const [delivered, forgotten] = [this.#delivered.splice(0), this.#forgotten.splice(0)];
    const again = () => void this.#forgotten.push(...forgotten);
    await Promise.all([
      // What is lost here is evicted later.
      delivered.length > 0 && this.runner.run('markDelivered', delivered).catch(() => {}),
      // Until they are forgotten they seem to run, and would become unknown with this process.
      forgotten.length > 0 && this.runner.run('forget', forgotten).catch(again),
    ]);
  }

  /** Operations were lost with the thread that ran them: jobs may have become this process's without its knowledge. */
  expectLostJobs(): void {
    this.#mayHaveLostJobs = true;
  }

  async #close(): Promise<void> {
    await this.flush();
    await this.owner.leave();
    await this.runner.close();
  }

  async #find(values: JobValues, claim: JobClaim, rejoinMs: number): Promise<ClaimResult> {
    const { key, mayRepeat, isRetrievable, background } = claim;
    const maxOpen = background?.maxOpen;
    if (key !== undefined) return await this.runner.run('claimKey', values, mayRepeat, this.now(), maxOpen);
    if (rejoinMs <= 0) return await this.runner.run('claimNew', values, this.now(), maxOpen, false);
    const found = await this.#rejoin(values, mayRepeat, { rejoinMs, isRetry: claim.rejoinMs >= this.rejoinMs });
    if (found[0] !== 'new' || !isRetrievable) return found;
    return await this.runner.run('claimNew', values, this.now(), maxOpen, found[3]);
  }

  /** Who asks again finds what has been left before: a claim waits until that is written. */
  #leave(job: JobId, step: () => Promise<void>): Promise<void> {
    return this.#departures.run(job, () => this.#writes.run(job, step));
  }

  /** @param isRetry its client says that it has asked before: the process that runs the equal job may be the one that has died */
  async #rejoin(
    values: JobValues,
    mayRepeat: boolean,
    { rejoinMs, isRetry }: { readonly rejoinMs: number; readonly isRetry: boolean },
  ): Promise<ClaimResult> {
    const find = (now: number) => this.runner.run('rejoin', values, mayRepeat, now - rejoinMs, now);
    await this.#departures.settled();
    const found = await find(this.now());
    if (found[0] !== 'new' || found[4] === undefined) return found;
    if (!isRetry) await this.owner.buryDead();
    else if (await this.owner.isLiving(found[4])) return found;
    return await find(this.now());
  }

  async #dispatchFirst(own: OwnJob, attempts: readonly JobAttempt[], isRepeated: boolean): Promise<void> {
    const { values, orphanedAt = null } = own;
    own.isRepeated ||= isRepeated;
    own.attempts = JSON.stringify(attempts);
    own.row = 'maybe';
    void this.flush();
    const [, job] = values as JobValues;
    const [attempted, repeated] = [own.attempts, own.isRepeated ? 1 : 0] as const;
    await this.#writes.run(job, () =>
      runOrFail(this.runner, 'insert', values as JobValues, attempted, repeated, orphanedAt),
    );
    own.row = 'exists';
  }

  async #write({ job, epoch }: JobLease, attempts: readonly JobAttempt[], isRepeated: boolean): Promise<void> {
    const text = JSON.stringify(attempts);
    await this.#writes.run(job, () => runOrFail(this.runner, 'write', job, epoch, text, isRepeated ? 1 : 0));
    const own = this.#own.get(job);
    if (own !== undefined) own.attempts = text;
  }

  async #giveUpLostJobs(): Promise<void> {
    this.#mayHaveLostJobs = false;
    try {
      const { id } = this.owner;
      const running = await runOrFail(this.runner, 'ownRunning', id);
      // What is there may be a claim's whose response is on its way: it is noted then.
      await Promise.allSettled([...this.#claiming, setImmediate()]);
      const lost = running.filter((job) => !this.#own.has(job));
      if (lost.length > 0) await runOrFail(this.runner, 'giveUp', id, lost);
    } catch (error) {
      this.#mayHaveLostJobs = true;
      throw error;
    }
  }

  /** Runs what needs a registered process; when it is not any more, it is registered again. */
  async #asOwner<T>(step: () => Promise<T>): Promise<T> {
    const { id } = this.owner;
    try {
      return await step();
    } catch (error) {
      const isOwnerless = error instanceof OperationFailure && error.code === 'ownerless';
      if (!isOwnerless) throw jobStoreFailure(error);
    }
    try {
      await this.owner.registerAgain(id);
      return await step();
    } catch (error) {
      throw jobStoreFailure(error);
    }
  }
}
