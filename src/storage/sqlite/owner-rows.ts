import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ClockReading } from './job-clock.ts';
import { OperationFailure } from './operation-failure.ts';

/** A job that was taken over. */
export type TakenRow = readonly [
  id: string,
  epoch: number,
  consumer: string,
  operation: string,
  model: string,
  images: number,
  keyed: number,
  retrievable: number,
  background: number,
  repeated: number,
  request: string | null,
  inputs: string | null,
  attempts: string,
  createdAt: number,
];

/** A lease that is longer was written before the machine was started, since when its clock counts. */
const maxLeaseMs = 10_000;

/** Expired jobs are deleted in steps, so that nobody waits for long. */
const deletedAtOnce = 1_000;

/** What is recorded about processes: who lives, and what becomes of the jobs of those that do not. */
export function ownerOperations(database: DatabaseSync) {
  const clock = clockOperations(database);
  const insertOwner = database.prepare('insert into owners (id, lease, listens) values (?, ?, ?)');
  const renewOwner = database.prepare('update owners set lease = ? where id = ?');
  const deleteOwner = database.prepare('delete from owners where id = ?');
  const otherOwners = rowsAsArrays(database.prepare('select id, listens from owners where id <> ?'));
  const deleteLate = database.prepare('delete from owners where id <> ? and (lease < ? or lease > ?)');
  const hasOwner = database.prepare('select 1 from owners where id = ?');
  const takeJobs = rowsAsArrays(
    database.prepare(`
      update jobs set owner = ?, epoch = epoch + 1
      where state = 'running' and owner not in (select id from owners)
      returning id, epoch, consumer, operation, model, images, keyed, retrievable, background, repeated, request, inputs,
        attempts,
        created_at`),
  );
  const orphanJobs = database.prepare(`
    update jobs set orphaned_at = ?
    where state = 'running' and owner not in (select id from owners) and keyed = 0 and background = 0
      and orphaned_at is null`);
  const deleteExpired = database.prepare(
    'delete from jobs where id in (select id from jobs where expires_at <= ? limit ?)',
  );
  const ownRunning = rowsAsArrays(database.prepare("select id from jobs where state = 'running' and owner = ?"));
  const giveUp = database.prepare("update jobs set owner = '' where id = ? and state = 'running' and owner = ?");

  return {
    /** Registers a process. Returns what the clock showed last. */
    register(id: string, lease: number, listens: boolean, reading: ClockReading): ClockReading {
      insertOwner.run(id, lease, listens ? 1 : 0);
      return clock.begin(reading);
    },
    /** Returns whether the process is still registered. */
    renew(id: string, lease: number, reading: ClockReading): boolean {
      clock.write(reading);
      deleteExpired.run(reading.time, deletedAtOnce);
      return renewOwner.run(lease, id).changes > 0;
    },
    leave(id: string): void {
      deleteOwner.run(id);
    },
    otherOwners: (id: string) => otherOwners.all(id) as unknown as [id: string, listens: number][],
    /**
     * Removes processes that have died. The clients of their jobs were cut off.
     * @param dead those that were found dead; of others, the leases have run out
     */
    bury(id: string, dead: readonly string[], monotonic: number, now: number): void {
      for (const one of dead) deleteOwner.run(one);
      deleteLate.run(id, monotonic, monotonic + maxLeaseMs);
      orphanJobs.run(now);
    },
    takeOver(id: string): TakenRow[] {
      if (hasOwner.get(id) === undefined) throw new OperationFailure('ownerless');
      return takeJobs.all(id) as unknown as TakenRow[];
    },
    ownRunning: (id: string) => (ownRunning.all(id) as unknown as [string][]).map(([job]) => job),
    giveUp(id: string, jobs: readonly string[]): void {
      for (const job of jobs) giveUp.run(job, id);
    },
  };
}

function clockOperations(database: DatabaseSync) {
  const insert = database.prepare(
    'insert into clock (id, boot, monotonic, time) values (1, ?, ?, ?) on conflict (id) do nothing',
  );
  const read = database.prepare('select boot, monotonic, time from clock');
  const update = database.prepare('update clock set boot = ?, monotonic = ?, time = ? where time < ?');
  return {
    begin({ boot, monotonic, time }: ClockReading): ClockReading {
      insert.run(boot, monotonic, time);
      return { ...(read.get() as ClockReading) };
    },
    write({ boot, monotonic, time }: ClockReading): void {
      update.run(boot, monotonic, time, time);
    },
  };
}

function rowsAsArrays(
  statement: StatementSync,
): Pick<StatementSync, 'all'> & { all(...values: unknown[]): unknown[][] } {
  statement.setReturnArrays(true);
  return statement as never;
}
