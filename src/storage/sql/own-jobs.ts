import type { Claimed, JobClaim, JobId, TakenJob } from '../../domain/job-store.ts';
import type { ClaimResult } from './claim-rows.ts';
import type { JobValues } from './claim-values.ts';
import type { TakenRow } from './taken-rows.ts';

/** What this process knows of a job of its own. */
export type OwnJob = {
  readonly isKeyed: boolean;
  readonly isRetrievable: boolean;
  /** What its row is made of, unless there was one from the beginning. */
  readonly values: JobValues | undefined;
  /** `none`: nothing was dispatched. `maybe`: its first dispatch has not succeeded yet. */
  row: 'none' | 'maybe' | 'exists';
  /** As last written. */
  attempts: string;
  isRepeated: boolean;
  orphanedAt: number | undefined;
};

/** The jobs that this process runs, until they end. */
export class OwnJobs {
  readonly #jobs = new Map<JobId, OwnJob>();

  get(job: JobId): OwnJob | undefined {
    return this.#jobs.get(job);
  }

  has(job: JobId): boolean {
    return this.#jobs.has(job);
  }

  delete(job: JobId): void {
    this.#jobs.delete(job);
  }

  /** Notes a job that was claimed, unless the claim has found another one. */
  claimed(
    values: JobValues,
    { key, isRetrievable }: JobClaim,
    found: ClaimResult = ['new', values[1], 1, false],
  ): Claimed {
    if (found[0] === 'mismatch') return { kind: 'mismatch' };
    if (found[0] === 'full') return { kind: 'full' };
    const [kind, job] = found;
    if (kind === 'running') return { kind, job };
    if (kind === 'ended') return { kind, job, end: JSON.parse(found[2]) };
    const [, , epoch, isRepeat] = found;
    const isKeyed = key !== undefined;
    const row = isRetrievable ? 'exists' : 'none';
    const known = { isKeyed, isRetrievable, values, row } as const;
    this.#jobs.set(job, { ...known, attempts: '[]', isRepeated: isRepeat, orphanedAt: undefined });
    return { kind, lease: { job, epoch }, isRepeat };
  }

  /** Notes a job that was taken over. */
  taken({ id: job, epoch, keyed, retrievable, attempts, ...row }: TakenRow): TakenJob {
    const [isKeyed, isRetrievable] = [keyed === 1, retrievable === 1];
    const known = {
      isKeyed,
      isRetrievable,
      attempts,
      row: 'exists',
      isRepeated: false,
      orphanedAt: undefined,
    } as const;
    this.#jobs.set(job, { ...known, values: undefined });
    return {
      lease: { job, epoch },
      consumer: row.consumer,
      operation: row.operation as TakenJob['operation'],
      model: row.model,
      count: row.images,
      isKeyed,
      isRetrievable,
      isBackground: row.background === 1,
      isRepeat: row.repeated === 1,
      request: row.request ?? undefined,
      inputs: row.inputs ?? undefined,
      attempts: JSON.parse(attempts),
      createdAt: row.created_at,
    };
  }
}
