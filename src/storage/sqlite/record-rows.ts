import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { JobQuery, JobState } from '../../domain/job-store.ts';

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

/** How consumers see their jobs. */
export function recordOperations(database: DatabaseSync) {
  const find = database.prepare(`select ${columns} from jobs where id = ? and ${visible}`);
  const findClaim = database.prepare(`select ${columns} from jobs where claim = ? and ${visible}`);
  const remove = database.prepare(
    `delete from jobs where id = ? and state <> 'running' and ${visible} returning attempts`,
  );
  const markKnown = database.prepare(
    'update jobs set orphaned_at = null where id = ? and consumer = ? and background = 1 and orphaned_at is not null',
  );
  // What was sent is not sent again.
  const promote = database.prepare(`
    update jobs set background = 1, retrievable = 1, request = case when attempts = '[]' then ? end
    where id = ? and background = 0 and state = 'running'`);
  const requestCancel = database.prepare("update jobs set cancelling = 1 where id = ? and state = 'running'");
  const cancelRequests = database.prepare(
    "update jobs set cancelling = 0 where cancelling = 1 and state = 'running' and owner = ? returning id",
  );
  const inputsInUse = database.prepare("select inputs from jobs where state = 'running' and inputs is not null");
  for (const statement of [cancelRequests, inputsInUse]) statement.setReturnArrays(true);

  return {
    find: (id: string, consumer: string, now: number) => plain(find.get(id, consumer, now)),
    retrieve(id: string, consumer: string, now: number): RecordRow | undefined {
      markKnown.run(id, consumer);
      return plain(find.get(id, consumer, now));
    },
    findClaim: (claim: string, consumer: string, now: number) => plain(findClaim.get(claim, consumer, now)),
    list(query: JobQuery, now: number): RecordRow[] {
      const { text, values } = listing(query);
      return (database.prepare(text).all(query.consumer, now, ...values) as RecordRow[]).map((row) => ({ ...row }));
    },
    /** The attempts of the job that was removed, as JSON. */
    remove(id: string, consumer: string, now: number): string | undefined {
      return (remove.get(id, consumer, now) as { readonly attempts: string } | undefined)?.attempts;
    },
    promote(id: string, request: string | null): void {
      promote.run(request, id);
    },
    requestCancel(id: string): void {
      requestCancel.run(id);
    },
    cancelRequests: (owner: string) => (cancelRequests.all(owner) as unknown as [string][]).map(([id]) => id),
    inputsInUse: () => (inputsInUse.all() as unknown as [string][]).map(([inputs]) => inputs),
  };
}

/** Rows of the driver are no plain objects. */
function plain(row: object | undefined): RecordRow | undefined {
  return row && ({ ...row } as RecordRow);
}

function listing({ states, model, order, after, limit }: JobQuery): {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
} {
  const conditions = [visible];
  const values: SQLInputValue[] = [];
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
  const text = `select ${columns} from jobs where ${conditions.join(' and ')}
    order by created_at ${order}, id ${order} limit ?`;
  return { text, values: [...values, limit] };
}
