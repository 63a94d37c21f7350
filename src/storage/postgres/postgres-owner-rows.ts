import { limitOperations } from '../sql/limit-rows.ts';
import { firstRow, hasChanged, type Steps, statement } from '../sql/steps.ts';
import { takingOperations } from '../sql/taken-rows.ts';

/** Milliseconds since 1970 by the clock of the database, which all processes share. */
const time = '(extract(epoch from clock_timestamp()) * 1000)::bigint';

const insertOwner = `insert into owners (id, lease, listens) values (?, ${time} + ?, 0) returning ${time} as now`;
const renewOwner = `update owners set lease = ${time} + ? where id = ? returning ${time} as now`;
const deleteOwner = 'delete from owners where id = ?';
const deleteLate = `delete from owners where id <> ? and lease < ${time}`;
const otherOwner = `select 1 from owners where id <> ? and lease >= ${time} limit 1`;

const leaseOf = 'select lease from owners where id = ?';

type Time = { readonly now: number };

/** The processes that share a database. Leases are times of its clock. */
export const postgresOwnerOperations = {
  /** Registers a process. Returns the time of the database. */
  *register(id: string, validMs: number): Steps<number> {
    return ((yield* firstRow<Time>(insertOwner, id, validMs)) as Time).now;
  },
  /** Returns the time of the database; `undefined` when the process is not registered any more. */
  *renew(id: string, validMs: number): Steps<number | undefined> {
    const row = yield* firstRow<Time>(renewOwner, validMs, id);
    return row?.now;
  },
  *leave(id: string): Steps<void> {
    yield statement(deleteOwner, id);
  },
  *isSole(id: string): Steps<boolean> {
    return (yield* firstRow(otherOwner, id)) === undefined;
  },
  /** `undefined`: it is not registered any more. */
  *leaseOf(id: string): Steps<number | undefined> {
    return (yield* firstRow<{ readonly lease: number }>(leaseOf, id))?.lease;
  },
  /** Removes the processes whose leases have run out, if this one may, and notes the jobs that have no process. */
  *bury(id: string, mayRemove: boolean, now: number): Steps<void> {
    if (mayRemove) yield* hasChanged(deleteLate, id);
    yield* takingOperations.orphanJobs(now);
    yield* limitOperations.releaseDeadPermits();
  },
};
