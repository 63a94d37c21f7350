import type { JobEnd } from '../../domain/job-store.ts';
import { type JobValues, jobColumns, jobPlaces } from './claim-values.ts';
import { OperationFailure } from './operation-failure.ts';
import { firstRow, hasChanged, type Steps } from './steps.ts';

/**
 * What a claim finds, with the epoch of the lease, or with the end of the job as JSON. `equalOwner`: another process that runs an
 * equal job without a key, whose client has not left as far as is known.
 */
export type ClaimResult =
  | readonly [kind: 'new', job: string, epoch: number, isRepeat: boolean, equalOwner?: string]
  | readonly [kind: 'running', job: string]
  | readonly [kind: 'ended', job: string, end: string]
  | readonly [kind: 'mismatch']
  | readonly [kind: 'full'];

/** `changed`: another process has changed what the decision was about. */
type Decision = ClaimResult | 'changed';

type ClaimedRow = {
  readonly id: string;
  readonly fingerprint: string;
  readonly fingerprint_version: number;
  readonly state: string;
  readonly epoch: number;
  readonly repeated: number;
  readonly expires_at: number | null;
  readonly retrievable: number;
  readonly taken_by: string;
  readonly response: string;
};

const columns =
  'id, fingerprint, fingerprint_version, state, epoch, repeated, expires_at, retrievable, taken_by, response';

const insert = `
  insert into jobs (${jobColumns}, state, epoch, attempts, repeated, orphaned_at)
  select ${jobPlaces}, 'running', 1, '[]', ?, ?
  where exists (select 1 from owners where id = ?)
  on conflict (consumer, claim) do nothing`;
const countOpen = "select count(*) as open from jobs where consumer = ? and background = 1 and state = 'running'";
const findByKey = `select ${columns} from jobs where consumer = ? and claim = ?`;
const runAgain = `
  update jobs set owner = ?, model = ?, images = ?, fingerprint = ?, fingerprint_version = ?, created_at = ?,
    background = ?, request = ?, inputs = ?, view = ?, cancelling = 0,
    state = 'running', epoch = epoch + 1, attempts = '[]', response = null, repeated = ?, delivered = 0,
    ended_at = null, expires_at = null
  where id = ? and epoch = ? and state = ? and exists (select 1 from owners where id = ?)`;
const findLeft = `
  select ${columns} from jobs
  where consumer = ? and fingerprint = ? and fingerprint_version = ? and keyed = 0 and orphaned_at >= ?
    and retrievable = ? and background = 0 and (expires_at is null or expires_at > ?) and taken_by not in (select id from owners)
  order by state = 'unknown', orphaned_at, created_at limit 1`;
// Its client may have to ask more than once: what no retry has got yet comes first, and then what was started last.
const findUnknown = `
  select ${columns} from jobs
  where consumer = ? and fingerprint = ? and fingerprint_version = ? and keyed = 0 and orphaned_at >= ?
    and background = 1 and (expires_at is null or expires_at > ?)
  order by taken_by in (select id from owners), state = 'unknown', orphaned_at desc, created_at desc limit 1`;
const findEqual = `
  select owner from jobs
  where consumer = ? and fingerprint = ? and fingerprint_version = ? and keyed = 0 and orphaned_at is null
    and state = 'running' and owner <> ? order by created_at desc limit 1`;
const take = 'update jobs set taken_by = ? where id = ? and taken_by = ?';
const putBack = "update jobs set taken_by = '' where id = ? and taken_by = ?";
const removeExpired = 'delete from jobs where id = ? and expires_at <= ?';
const remove = 'delete from jobs where id = ? and state = ?';
const settle = 'update jobs set orphaned_at = null where id = ? and state = ? and orphaned_at is not null';

/** After these the key is free for another request: nothing was bought with it. */
const freeing = ['not_processed', 'cancelled'];

/** Whoever asks again gets a new try. */
const repeatable = ['failed', ...freeing];

/** How claims become jobs, or find them. */
export const claimOperations = {
  *claimKey(values: JobValues, mayRepeat: boolean, now: number, maxOpen: number | undefined): Steps<ClaimResult> {
    const [, , consumer, claim] = values;
    for (;;) {
      const row = yield* firstRow<ClaimedRow>(findByKey, consumer, claim);
      const isExpired = row !== undefined && row.expires_at !== null && row.expires_at <= now;
      if (isExpired) yield* hasChanged(removeExpired, row.id, now);
      const isNew = row === undefined || isExpired;
      const decision: Decision = isNew
        ? yield* begin(values, { now, maxOpen, isRepeat: false })
        : yield* decide(row, values, { mayRepeat, maxOpen });
      if (decision !== 'changed') return decision;
    }
  },
  *claimNew(values: JobValues, now: number, maxOpen: number | undefined, isRepeat: boolean): Steps<ClaimResult> {
    const decision = yield* begin(values, { now, maxOpen, isRepeat });
    // Its claim is made of its id, which nobody else has.
    if (decision === 'changed') throw new OperationFailure('failed', 'the id of a job was drawn twice');
    return decision;
  },
  /** What this process has taken can be taken again. */
  *putBack(id: string, owner: string): Steps<void> {
    yield* hasChanged(putBack, id, owner);
  },
  /**
   * Looks for what the client of an equal request has left.
   * @param since when it has left at the earliest
   */
  *rejoin(values: JobValues, mayRepeat: boolean, since: number, now: number): Steps<ClaimResult> {
    const [owner, id, consumer, , , , , fingerprint, version, , , retrievable, background] = values;
    const equal = [consumer, fingerprint, version] as const;
    for (;;) {
      const row: ClaimedRow | undefined =
        background === 1
          ? yield* firstRow<ClaimedRow>(findUnknown, ...equal, since, now)
          : yield* firstRow<ClaimedRow>(findLeft, ...equal, since, retrievable, now);
      if (row === undefined) {
        const running = yield* firstRow<{ readonly owner: string }>(findEqual, ...equal, owner);
        return running === undefined ? ['new', id, 1, false] : ['new', id, 1, false, running.owner];
      }
      const isRepeat = mayBeRepeated(row, mayRepeat);
      if (isRepeat || repeatable.includes(row.state)) {
        // One that can be retrieved stays where its client may look for it.
        const isMine = yield* hasChanged(row.retrievable === 1 ? settle : remove, row.id, row.state);
        if (isRepeat && isMine) return ['new', id, 1, true];
        continue;
      }
      // Everybody may learn of an unknown outcome, and only one client gets the images.
      if (row.state !== 'unknown' && !(yield* hasChanged(take, owner, row.id, row.taken_by))) continue;
      return row.state === 'running' ? ['running', row.id] : ['ended', row.id, row.response];
    }
  },
};

/** The job of a key that is known. */
function* decide(
  row: ClaimedRow,
  values: JobValues,
  { mayRepeat, maxOpen }: { readonly mayRepeat: boolean; readonly maxOpen: number | undefined },
): Steps<Decision> {
  const [, , , , , , , fingerprint, version] = values;
  // What was cancelled after it was sent may have been billed all the same.
  const isOver = row.state === 'cancelled' && wasSent(row);
  // A key that has repeated what may have been billed stays that request's.
  const isFree = freeing.includes(row.state) && row.repeated === 0 && !isOver;
  const isComparable = row.fingerprint_version === version && !isFree;
  if (isComparable && row.fingerprint !== fingerprint) return ['mismatch'];
  if (row.state === 'running') return ['running', row.id];
  const isRepeat = mayBeRepeated(row, mayRepeat);
  const isAgain = isRepeat || (repeatable.includes(row.state) && !isOver);
  if (!isAgain) return ['ended', row.id, row.response];
  return (yield* isFull(values, maxOpen)) ? ['full'] : yield* again(row, values, isRepeat);
}

function* again(row: ClaimedRow, values: JobValues, isRepeat: boolean): Steps<Decision> {
  const [owner, , , , , model, images, fingerprint, version, createdAt, , , ...background] = values;
  const repeated = isRepeat ? 1 : row.repeated;
  const request = [owner, model, images, fingerprint, version, createdAt, ...background] as const;
  if (yield* hasChanged(runAgain, ...request, repeated, row.id, row.epoch, row.state, owner)) {
    return ['new', row.id, row.epoch + 1, repeated === 1];
  }
  yield* mustBeRegistered(owner);
  return 'changed';
}

type Beginning = { readonly now: number; readonly maxOpen: number | undefined; readonly isRepeat: boolean };

/** A job in the background is left from the beginning: whether its client gets the id is seen when it retrieves the job. */
function* begin(values: JobValues, { now, maxOpen, isRepeat }: Beginning): Steps<Decision> {
  const [owner, id, , , , , , , , , keyed, , background] = values;
  if (yield* isFull(values, maxOpen)) return ['full'];
  const leftAt = background === 1 && keyed === 0 ? now : null;
  if (yield* hasChanged(insert, ...values, isRepeat ? 1 : 0, leftAt, owner)) return ['new', id, 1, isRepeat];
  yield* mustBeRegistered(owner);
  return 'changed';
}

/** @param maxOpen of the consumer's jobs in the background */
function* isFull([, , consumer]: JobValues, maxOpen: number | undefined): Steps<boolean> {
  if (maxOpen === undefined) return false;
  const row = yield* firstRow<{ readonly open: number }>(countOpen, consumer);
  return row !== undefined && row.open >= maxOpen;
}

/** Throws for a process that others have taken for dead: it may not begin jobs, nor take them over. */
export function* mustBeRegistered(owner: string): Steps<void> {
  const row = yield* firstRow('select 1 from owners where id = ?', owner);
  if (row === undefined) throw new OperationFailure('ownerless');
}

function wasSent({ response }: ClaimedRow): boolean {
  const end = JSON.parse(response) as JobEnd;
  return end.name !== 'done' && end.failure.report.sent;
}

function mayBeRepeated({ state, repeated }: ClaimedRow, mayRepeat: boolean): boolean {
  return state === 'unknown' && mayRepeat && repeated === 0;
}
