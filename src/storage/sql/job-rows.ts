import { type JobValues, jobColumns, jobPlaces } from './claim-values.ts';
import { OperationFailure } from './operation-failure.ts';
import { shownState } from './record-rows.ts';
import { firstRow, hasChanged, type Steps, statement } from './steps.ts';

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

export type DeliveredPage = {
  readonly jobs: readonly (readonly [attempts: string, endedAt: number])[];
  readonly last: string | undefined;
};

type StateRow = { readonly state: string; readonly epoch: number; readonly response: string | null };

const insert = `
  insert into jobs (${jobColumns}, state, epoch, attempts, repeated, orphaned_at)
  select ${jobPlaces}, 'running', 1, ?, ?, ?
  where exists (select 1 from owners where id = ?)
  on conflict (id) do update set attempts = excluded.attempts
  where jobs.epoch = 1 and jobs.state = 'running' and jobs.owner = excluded.owner`;
const write = `
  update jobs set attempts = ?, request = null, repeated = case when ? = 1 then 1 else repeated end where ${isOwn}`;
const orphan = `update jobs set orphaned_at = ?, taken_by = '' where keyed = 0 and ${isOwn}`;
const forgetOne = `delete from jobs where retrievable = 0 and keyed = 0 and ${isOwn}`;
const release = `update jobs set owner = '' where ${isOwn}`;
const read = 'select state, response from jobs where id = ? and (expires_at is null or expires_at > ?)';
const find = 'select state, epoch, response from jobs where id = ?';
// Its client has the end, and nobody can ask for it again.
const forgetDelivered = `delete from jobs where keyed = 0 and retrievable = 0 and orphaned_at is null and ${isOwn}`;
// No image was made, and nobody has the id of the job: the same request begins as well with a row of its own.
const forgetNothing = `
  delete from jobs where (background = 0 or ? = 1) and (keyed = 0 or (attempts = '[]' and repeated = 0)) and ${isOwn}`;
const end = `
  update jobs set state = ?, response = ?, ended_at = ?, expires_at = ?, orphaned_at = coalesce(orphaned_at, ?),
    request = null, inputs = null
  where ${isOwn}`;
// Its new owner has bought nothing: the attempts are those of the former one.
const heal = `
  update jobs set state = 'done', response = ?, ended_at = ?, expires_at = ?
  where id = ? and epoch = ? and state = 'unknown' and attempts = ?`;
const markDelivered = 'update jobs set delivered = 1 where id = ?';
// In the order of the primary key, and whatever they are: so no page reads more rows than it returns.
const delivered = `
  select id, case when state = 'done' and delivered = 1 then attempts end as attempts, ended_at
  from jobs where id > ? order by id limit ?`;
const states = `select ${shownState} as shown, count(*) as jobs from jobs group by shown`;

/** The states of a job: one statement for each transition, which shows the epoch of its lease. */
export const jobOperations = {
  /** The first attempt of a job without a key, which is not recorded before. */
  *insert(values: JobValues, attempts: string, repeated: number, orphanedAt: number | null): Steps<void> {
    const isInserted = yield* hasChanged(insert, ...values, attempts, repeated, orphanedAt, values[0]);
    if (!isInserted) throw new OperationFailure('taken-over');
  },
  *write(id: string, epoch: number, attempts: string, repeated: number): Steps<void> {
    if (!(yield* hasChanged(write, attempts, repeated, id, epoch))) throw new OperationFailure('taken-over');
  },
  *orphan(id: string, epoch: number, now: number): Steps<void> {
    if (!(yield* hasChanged(orphan, now, id, epoch))) yield* mustHaveEnded(id, epoch);
  },
  /** Jobs without a key that nobody can ask for again. */
  *forget(jobs: readonly (readonly [id: string, epoch: number])[]): Steps<void> {
    for (const [id, epoch] of jobs) yield statement(forgetOne, id, epoch);
  },
  *release(id: string, epoch: number): Steps<void> {
    if (!(yield* hasChanged(release, id, epoch))) yield* mustHaveEnded(id, epoch);
  },
  *finish(id: string, epoch: number, ending: Ending): Steps<void> {
    if (yield* hasFinished(id, epoch, ending)) return;
    const row = yield* firstRow<StateRow>(find, id);
    const isHealed = row?.epoch === epoch + 1 && row.state === 'done' && row.response === ending.response;
    if (!isHealed) yield* mustHaveEnded(id, epoch);
  },
  /** The state, and the end as JSON. */
  *read(id: string, now: number): Steps<readonly [state: string, end: string | null] | undefined> {
    const row = yield* firstRow<StateRow>(read, id, now);
    return row && [row.state, row.response];
  },
  *markDelivered(ids: readonly string[]): Steps<void> {
    for (const id of ids) yield statement(markDelivered, id);
  },
  /**
   * The attempts as JSON of jobs whose responses have reached a client, of a page of jobs.
   * @param after the last id of the page before, which is returned as `last`; `undefined` after the last page
   */
  *delivered(after: string, limit: number): Steps<DeliveredPage> {
    const { rows } = yield statement(delivered, after, limit);
    const found = rows.filter(({ attempts }) => attempts !== null);
    return {
      jobs: found.map(({ attempts, ended_at }) => [attempts as string, ended_at as number]),
      last: rows.length < limit ? undefined : (rows.at(-1)?.id as string),
    };
  },
  *states(): Steps<readonly (readonly [state: string, count: number])[]> {
    const { rows } = yield statement(states);
    return rows.map(({ shown, jobs }) => [shown as string, jobs as number]);
  },
};

/** Why nothing was written: because it had been before, or because the job belongs to another process. */
function* mustHaveEnded(id: string, epoch: number): Steps<void> {
  const row = yield* firstRow<StateRow>(find, id);
  if (row !== undefined && (row.epoch !== epoch || row.state === 'running')) throw new OperationFailure('taken-over');
}

/** Ends a job, and returns whether there was one to end. */
function* hasFinished(id: string, epoch: number, ending: Ending): Steps<boolean> {
  const { state, response, attempts, at, expiresAt, orphanedAt, isRefused } = ending;
  const isNothing = state === 'not_processed' || state === 'cancelled';
  if (orphanedAt === null && (yield* hasChanged(forgetDelivered, id, epoch))) return true;
  if (isNothing && (yield* hasChanged(forgetNothing, isRefused ? 1 : 0, id, epoch))) return true;
  if (yield* hasChanged(end, state, response, at, expiresAt, orphanedAt, id, epoch)) return true;
  return state === 'done' && (yield* hasChanged(heal, response, at, expiresAt, id, epoch + 1, attempts));
}
