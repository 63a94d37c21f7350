import type { DatabaseSync } from 'node:sqlite';
import { type JobValues, jobColumns, jobPlaces } from './claim-values.ts';
import { OperationFailure } from './operation-failure.ts';
import { shownState } from './record-rows.ts';

/** Who writes a job may do so: it has not been taken over, it runs, and its owner has not been declared dead. */
const isOwn = `id = ? and epoch = ? and state = 'running' and owner in (select id from owners)`;

/** How a job ends, and what decides how long that is kept. */
export type Ending = {
  readonly state: string;
  /** JSON. */
  readonly response: string;
  /** It has a row that must not be missing. */
  readonly isRetrievable: boolean;
  /** Its client knows of no job. */
  readonly isRefused: boolean;
  /** When the client of a job without a key has left, also where that could not be written then. */
  readonly orphanedAt: number | null;
  /** As this lease has last written them. */
  readonly attempts: string;
  readonly at: number;
  readonly expiresAt: number;
};

type Row = { readonly state: string; readonly epoch: number; readonly response: string | null };

/** The states of a job: one statement for each transition, which shows the epoch of its lease. */
export function jobOperations(database: DatabaseSync) {
  const insert = database.prepare(`
    insert into jobs (${jobColumns}, state, epoch, attempts, repeated, orphaned_at)
    select ${jobPlaces}, 'running', 1, ?, ?, ?
    where exists (select 1 from owners where id = ?)
    on conflict (id) do update set attempts = excluded.attempts
    where jobs.epoch = 1 and jobs.state = 'running' and jobs.owner = excluded.owner`);
  const write = database.prepare(`
    update jobs set attempts = ?, request = null, repeated = case when ? = 1 then 1 else repeated end where ${isOwn}`);
  const orphan = database.prepare(`update jobs set orphaned_at = ?, taken_by = '' where keyed = 0 and ${isOwn}`);
  const forgetOne = database.prepare(`delete from jobs where retrievable = 0 and keyed = 0 and ${isOwn}`);
  const release = database.prepare(`update jobs set owner = '' where ${isOwn}`);
  const read = database.prepare(
    'select state, response from jobs where id = ? and (expires_at is null or expires_at > ?)',
  );
  const find = database.prepare('select state, epoch, response from jobs where id = ?');
  const finish = finishing(database);

  /** Why nothing was written: because it had been before, or because the job belongs to another process. */
  function mustHaveEnded(id: string, epoch: number): void {
    const row = find.get(id) as Row | undefined;
    if (row !== undefined && (row.epoch !== epoch || row.state === 'running')) throw new OperationFailure('taken-over');
  }

  return {
    /** The first attempt of a job without a key, which is not recorded before. */
    insert(values: JobValues, attempts: string, repeated: number, orphanedAt: number | null): void {
      const { changes } = insert.run(...values, attempts, repeated, orphanedAt, values[0]);
      if (changes === 0) throw new OperationFailure('taken-over');
    },
    write(id: string, epoch: number, attempts: string, repeated: number): void {
      if (write.run(attempts, repeated, id, epoch).changes === 0) throw new OperationFailure('taken-over');
    },
    orphan(id: string, epoch: number, now: number): void {
      if (orphan.run(now, id, epoch).changes === 0) mustHaveEnded(id, epoch);
    },
    /** Jobs without a key that nobody can ask for again. */
    forget(jobs: readonly (readonly [id: string, epoch: number])[]): void {
      for (const [id, epoch] of jobs) forgetOne.run(id, epoch);
    },
    release(id: string, epoch: number): void {
      if (release.run(id, epoch).changes === 0) mustHaveEnded(id, epoch);
    },
    finish(id: string, epoch: number, ending: Ending): void {
      if (finish(id, epoch, ending)) return;
      const row = find.get(id) as Row | undefined;
      const isHealed = row?.epoch === epoch + 1 && row.state === 'done' && row.response === ending.response;
      if (isHealed) return;
      mustHaveEnded(id, epoch);
    },
    /** The state, and the end as JSON. */
    read(id: string, now: number): readonly [state: string, end: string | null] | undefined {
      const row = read.get(id, now) as Row | undefined;
      return row && [row.state, row.response];
    },
    ...summaries(database),
  };
}

/** Returns a function that ends a job, and returns whether there was one to end. */
function finishing(database: DatabaseSync) {
  // Its client has the end, and nobody can ask for it again.
  const forgetDelivered = database.prepare(
    `delete from jobs where keyed = 0 and retrievable = 0 and orphaned_at is null and ${isOwn}`,
  );
  // No image was made, and nobody has the id of the job: the same request begins as well with a row of its own.
  const forgetNothing = database.prepare(`
    delete from jobs where (background = 0 or ? = 1) and (keyed = 0 or (attempts = '[]' and repeated = 0)) and ${isOwn}`);
  const end = database.prepare(`
    update jobs set state = ?, response = ?, ended_at = ?, expires_at = ?, orphaned_at = coalesce(orphaned_at, ?),
      request = null, inputs = null
    where ${isOwn}`);
  // Its new owner has bought nothing: the attempts are those of the former one.
  const heal = database.prepare(`
    update jobs set state = 'done', response = ?, ended_at = ?, expires_at = ?
    where id = ? and epoch = ? and state = 'unknown' and attempts = ?`);

  return (id: string, epoch: number, ending: Ending): boolean => {
    const { state, response, attempts, at, expiresAt, orphanedAt, isRefused } = ending;
    const isNothing = state === 'not_processed' || state === 'cancelled';
    if (orphanedAt === null && forgetDelivered.run(id, epoch).changes > 0) return true;
    if (isNothing && forgetNothing.run(isRefused ? 1 : 0, id, epoch).changes > 0) return true;
    if (end.run(state, response, at, expiresAt, orphanedAt, id, epoch).changes > 0) return true;
    return state === 'done' && heal.run(response, at, expiresAt, id, epoch + 1, attempts).changes > 0;
  };
}

function summaries(database: DatabaseSync) {
  const markDelivered = database.prepare('update jobs set delivered = 1 where id = ?');
  const delivered = database.prepare(
    "select attempts, ended_at from jobs where state = 'done' and delivered = 1 order by ended_at",
  );
  const states = database.prepare(`select ${shownState} as shown, count(*) from jobs group by shown`);
  for (const statement of [delivered, states]) statement.setReturnArrays(true);
  return {
    markDelivered(ids: readonly string[]): void {
      for (const id of ids) markDelivered.run(id);
    },
    delivered: () => delivered.all() as unknown as [attempts: string, endedAt: number][],
    states: () => states.all() as unknown as [state: string, count: number][],
  };
}
