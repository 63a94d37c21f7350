import { mustBeRegistered } from './claim-rows.ts';
import { hasChanged, type Steps, statement } from './steps.ts';

/** A job that was taken over. */
export type TakenRow = {
  readonly id: string;
  readonly epoch: number;
  readonly consumer: string;
  readonly operation: string;
  readonly model: string;
  readonly images: number;
  readonly keyed: number;
  readonly retrievable: number;
  readonly background: number;
  readonly repeated: number;
  readonly request: string | null;
  readonly inputs: string | null;
  /** JSON. */
  readonly attempts: string;
  readonly created_at: number;
};

/** Expired jobs are deleted in steps, so that nobody waits for long. */
const deletedAtOnce = 1_000;

const takeJobs = `
  update jobs set owner = ?, epoch = epoch + 1,
    orphaned_at = case when keyed = 0 and background = 0 then coalesce(orphaned_at, ?) else orphaned_at end
  where state = 'running' and owner not in (select id from owners)
  returning id, epoch, consumer, operation, model, images, keyed, retrievable, background, repeated, request, inputs,
    attempts, created_at`;
const orphanJobs = `
  update jobs set orphaned_at = ?
  where state = 'running' and owner not in (select id from owners) and keyed = 0 and background = 0
    and orphaned_at is null`;
const deleteExpired = 'delete from jobs where id in (select id from jobs where expires_at <= ? limit ?)';
const ownRunning = "select id from jobs where state = 'running' and owner = ?";
const giveUp = "update jobs set owner = '' where id = ? and state = 'running' and owner = ?";

/** What becomes of the jobs of processes that have died. */
export const takingOperations = {
  /** The clients of jobs without a key were cut off, also where nobody has noted that before. */
  *takeOver(owner: string, now: number): Steps<readonly TakenRow[]> {
    yield* mustBeRegistered(owner);
    const { rows } = yield statement(takeJobs, owner, now);
    return rows as unknown as readonly TakenRow[];
  },
  /** The clients of jobs whose owners are gone were cut off. */
  *orphanJobs(now: number): Steps<void> {
    yield* hasChanged(orphanJobs, now);
  },
  /** Returns whether there may be more. */
  *deleteExpired(now: number): Steps<boolean> {
    const { changes } = yield statement(deleteExpired, now, deletedAtOnce);
    return changes === deletedAtOnce;
  },
  *ownRunning(owner: string): Steps<readonly string[]> {
    const { rows } = yield statement(ownRunning, owner);
    return rows.map(({ id }) => id as string);
  },
  *giveUp(owner: string, jobs: readonly string[]): Steps<void> {
    for (const job of jobs) yield statement(giveUp, job, owner);
  },
};
