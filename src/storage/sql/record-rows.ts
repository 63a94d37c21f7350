import type { JobQuery, JobState } from '../../domain/job-store.ts';
import { firstRow, hasChanged, type SqlValue, type Statement, type Steps, statement } from './steps.ts';

/** A job that its consumer can retrieve. */
export type RecordRow = {
  readonly id: string;
  readonly operation: string;
  readonly model: string;
  readonly images: number;
  readonly state: JobState;
  readonly background: number;
  readonly view: string | null;
  /** The end as JSON. */
  readonly response: string | null;
  readonly created_at: number;
  readonly ended_at: number | null;
  readonly expires_at: number | null;
};

/** Of what runs, that of which nothing was sent is queued. */
export const shownState = `case when state = 'running' and attempts = '[]' then 'queued' else state end`;
const columns = `id, operation, model, images, ${shownState} as state, background, view, response, created_at, ended_at,
  expires_at`;

/** Those of one consumer that have not expired. */
const visible = 'consumer = ? and retrievable = 1 and (expires_at is null or expires_at > ?)';

const find = `select ${columns} from jobs where id = ? and ${visible}`;
const findClaim = `select ${columns} from jobs where claim = ? and ${visible}`;
const remove = `delete from jobs where id = ? and state <> 'running' and ${visible} returning attempts`;
const markKnown =
  'update jobs set orphaned_at = null where id = ? and consumer = ? and background = 1 and orphaned_at is not null';
// What was sent is not sent again.
const promote = `
  update jobs set background = 1, retrievable = 1, request = case when attempts = '[]' then ? end
  where id = ? and background = 0 and state = 'running'`;
const requestCancel = "update jobs set cancelling = 1 where id = ? and state = 'running'";
const cancelRequests =
  "update jobs set cancelling = 0 where cancelling = 1 and state = 'running' and owner = ? returning id";
const inputsInUse = "select inputs from jobs where state = 'running' and inputs is not null";

/** How consumers see their jobs. */
export const recordOperations = {
  find: (id: string, consumer: string, now: number) => firstRow<RecordRow>(find, id, consumer, now),
  *retrieve(id: string, consumer: string, now: number): Steps<RecordRow | undefined> {
    yield* hasChanged(markKnown, id, consumer);
    return yield* firstRow<RecordRow>(find, id, consumer, now);
  },
  findClaim: (claim: string, consumer: string, now: number) => firstRow<RecordRow>(findClaim, claim, consumer, now),
  *list(query: JobQuery, now: number): Steps<readonly RecordRow[]> {
    const { rows } = yield listing(query, now);
    return rows as unknown as readonly RecordRow[];
  },
  /** The attempts of the job that was removed, as JSON. */
  *remove(id: string, consumer: string, now: number): Steps<string | undefined> {
    const row = yield* firstRow<{ readonly attempts: string }>(remove, id, consumer, now);
    return row?.attempts;
  },
  *promote(id: string, request: string | null): Steps<void> {
    yield* hasChanged(promote, request, id);
  },
  *requestCancel(id: string): Steps<void> {
    yield* hasChanged(requestCancel, id);
  },
  *cancelRequests(owner: string): Steps<readonly string[]> {
    const { rows } = yield statement(cancelRequests, owner);
    return rows.map(({ id }) => id as string);
  },
  *inputsInUse(): Steps<readonly string[]> {
    const { rows } = yield statement(inputsInUse);
    return rows.map(({ inputs }) => inputs as string);
  },
};

function listing({ consumer, states, model, order, after, limit }: JobQuery, now: number): Statement {
  const conditions = [visible];
  const values: SqlValue[] = [consumer, now];
  if (model !== undefined) {
    conditions.push('model = ?');
    values.push(model);
  }
  if (states !== undefined) {
    conditions.push(`${shownState} in (${states.map(() => '?').join(', ')})`);
    values.push(...states);
  }
  if (after !== undefined) {
    const comes = order === 'desc' ? '<' : '>';
    conditions.push(`(created_at, id) ${comes} (select created_at, id from jobs where id = ?)`);
    values.push(after);
  }
  const sql = `select ${columns} from jobs where ${conditions.join(' and ')}
    order by created_at ${order}, id ${order} limit ?`;
  return { sql, values: [...values, limit] };
}
