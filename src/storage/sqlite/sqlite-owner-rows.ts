import { firstRow, hasChanged, type Steps, statement } from '../sql/steps.ts';
import { takingOperations } from '../sql/taken-rows.ts';
import type { ClockReading } from './job-clock.ts';

/** A lease that is longer was written before the machine was started, since when its clock counts. */
const maxLeaseMs = 10_000;

const insertOwner = 'insert into owners (id, lease, listens) values (?, ?, ?)';
const renewOwner = 'update owners set lease = ? where id = ?';
const deleteOwner = 'delete from owners where id = ?';
const otherOwners = 'select id, listens from owners where id <> ?';
const deleteLate = 'delete from owners where id <> ? and (lease < ? or lease > ?)';
const insertClock = 'insert into clock (id, boot, monotonic, time) values (1, ?, ?, ?) on conflict (id) do nothing';
const readClock = 'select boot, monotonic, time from clock';
const updateClock = 'update clock set boot = ?, monotonic = ?, time = ? where time < ?';

/** The processes of one machine that share a database, and its clock. Leases are times of the machine's monotonic clock. */
export const sqliteOwnerOperations = {
  /** Registers a process. Returns what the clock showed last. */
  *register(id: string, lease: number, listens: boolean, { boot, monotonic, time }: ClockReading): Steps<ClockReading> {
    yield statement(insertOwner, id, lease, listens ? 1 : 0);
    yield statement(insertClock, boot, monotonic, time);
    return (yield* firstRow<ClockReading>(readClock)) as ClockReading;
  },
  /** Returns whether the process is still registered. */
  *renew(id: string, lease: number, { boot, monotonic, time }: ClockReading): Steps<boolean> {
    yield statement(updateClock, boot, monotonic, time, time);
    yield* takingOperations.deleteExpired(time);
    return yield* hasChanged(renewOwner, lease, id);
  },
  *leave(id: string): Steps<void> {
    yield statement(deleteOwner, id);
  },
  *otherOwners(id: string): Steps<readonly (readonly [id: string, listens: number])[]> {
    const { rows } = yield statement(otherOwners, id);
    return rows.map((row) => [row.id as string, row.listens as number]);
  },
  /**
   * Removes processes that have died.
   * @param dead those that were found dead; of others, the leases have run out
   */
  *bury(id: string, dead: readonly string[], monotonic: number, now: number): Steps<void> {
    for (const one of dead) yield statement(deleteOwner, one);
    yield statement(deleteLate, id, monotonic, monotonic + maxLeaseMs);
    yield* takingOperations.orphanJobs(now);
  },
};
