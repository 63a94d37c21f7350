import type { DatabaseSync } from 'node:sqlite';
import type { JobEnd } from '../../domain/job-store.ts';
import { type JobValues, jobColumns, jobPlaces } from './claim-values.ts';
import { OperationFailure } from './operation-failure.ts';

/**
 * What a claim finds, with the epoch of the lease, or with the end of the job as JSON. `hasEqual`: another process runs an equal
 * job without a key, whose client has not left as far as is known.
 */
export type ClaimResult =
  | readonly [kind: 'new', job: string, epoch: number, isRepeat: boolean, hasEqual?: boolean]
  | readonly [kind: 'running', job: string]
  | readonly [kind: 'ended', job: string, end: string]
  | readonly [kind: 'mismatch']
  | readonly [kind: 'full'];

type Row = {
  readonly id: string;
  readonly fingerprint: string;
  readonly fingerprint_version: number;
  readonly state: string;
  readonly epoch: number;
  readonly repeated: number;
  readonly expires_at: number | null;
  readonly retrievable: number;
  readonly response: string;
};

const columns = 'id, fingerprint, fingerprint_version, state, epoch, repeated, expires_at, retrievable, response';

/** After these the key is free for another request: nothing was bought with it. */
const freeing = ['not_processed', 'cancelled'];

/** Whoever asks again gets a new try. */
const repeatable = ['failed', ...freeing];

/** How claims become jobs, or find them. */
export function claimOperations(database: DatabaseSync) {
  const insert = database.prepare(`
    insert into jobs (${jobColumns}, state, epoch, attempts, repeated, orphaned_at)
    select ${jobPlaces}, 'running', 1, '[]', ?, ?
    where exists (select 1 from owners where id = ?)`);
  const countOpen = database.prepare(
    "select count(*) as open from jobs where consumer = ? and background = 1 and state = 'running'",
  );
  const findByKey = database.prepare(`select ${columns} from jobs where consumer = ? and claim = ?`);
  const runAgain = database.prepare(`
    update jobs set owner = ?, model = ?, images = ?, fingerprint = ?, fingerprint_version = ?, created_at = ?,
      background = ?, request = ?, inputs = ?, view = ?, cancelling = 0,
      state = 'running', epoch = epoch + 1, attempts = '[]', response = null, repeated = ?, delivered = 0,
      ended_at = null, expires_at = null
    where id = ? and epoch = ? and exists (select 1 from owners where id = ?)`);
  const findLeft = database.prepare(`
    select ${columns} from jobs
    where consumer = ? and fingerprint = ? and fingerprint_version = ? and keyed = 0 and orphaned_at >= ?
      and retrievable = ? and background = 0 and (expires_at is null or expires_at > ?) and taken_by not in (select id from owners)
    order by state = 'unknown', orphaned_at, created_at limit 1`);
  // Its client may have to ask more than once: what no retry has got yet comes first, and then what was started last.
  const findUnknown = database.prepare(`
    select ${columns} from jobs
    where consumer = ? and fingerprint = ? and fingerprint_version = ? and keyed = 0 and orphaned_at >= ?
      and background = 1 and (expires_at is null or expires_at > ?)
    order by taken_by in (select id from owners), state = 'unknown', orphaned_at desc, created_at desc limit 1`);
  const findEqual = database.prepare(`
    select 1 from jobs
    where consumer = ? and fingerprint = ? and fingerprint_version = ? and keyed = 0 and orphaned_at is null
      and state = 'running' and owner <> ? limit 1`);
  const take = database.prepare('update jobs set taken_by = ? where id = ?');
  const putBack = database.prepare("update jobs set taken_by = '' where id = ? and taken_by = ?");
  const remove = database.prepare('delete from jobs where id = ?');
  const settle = database.prepare('update jobs set orphaned_at = null where id = ?');

  function hasEqual([owner, , consumer, , , , , fingerprint, version]: JobValues): boolean {
    return findEqual.get(consumer, fingerprint, version, owner) !== undefined;
  }

  /** The job of a key that is known. */
  function decide(row: Row, values: JobValues, mayRepeat: boolean, maxOpen: number | undefined): ClaimResult {
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
    return isFull(values, maxOpen) ? ['full'] : again(row, values, isRepeat);
  }

  function again(row: Row, values: JobValues, isRepeat: boolean): ClaimResult {
    const [owner, , , , , model, images, fingerprint, version, createdAt, , , ...background] = values;
    const repeated = isRepeat ? 1 : row.repeated;
    const request = [owner, model, images, fingerprint, version, createdAt, ...background] as const;
    const { changes } = runAgain.run(...request, repeated, row.id, row.epoch, owner);
    if (changes === 0) throw new OperationFailure('ownerless');
    return ['new', row.id, row.epoch + 1, repeated === 1];
  }

  /** @param maxOpen of the consumer's jobs in the background */
  function isFull([, , consumer]: JobValues, maxOpen: number | undefined): boolean {
    if (maxOpen === undefined) return false;
    const { open } = countOpen.get(consumer) as { readonly open: number };
    return open >= maxOpen;
  }

  /** A job in the background is left from the beginning: whether its client gets the id is seen when it retrieves the job. */
  function claimNew(values: JobValues, now: number, maxOpen: number | undefined, isRepeat: boolean): ClaimResult {
    const [owner, id, , , , , , , , , keyed, , background] = values;
    if (isFull(values, maxOpen)) return ['full'];
    const leftAt = background === 1 && keyed === 0 ? now : null;
    if (insert.run(...values, isRepeat ? 1 : 0, leftAt, owner).changes === 0) throw new OperationFailure('ownerless');
    return ['new', id, 1, isRepeat];
  }

  return {
    claimKey(values: JobValues, mayRepeat: boolean, now: number, maxOpen: number | undefined): ClaimResult {
      const [, , consumer, claim] = values;
      const row = findByKey.get(consumer, claim) as Row | undefined;
      const isExpired = row !== undefined && row.expires_at !== null && row.expires_at <= now;
      if (row !== undefined && !isExpired) return decide(row, values, mayRepeat, maxOpen);
      if (row !== undefined) remove.run(row.id);
      return claimNew(values, now, maxOpen, false);
    },
    claimNew,
    /** What this process has taken can be taken again. */
    putBack(id: string, owner: string): void {
      putBack.run(id, owner);
    },
    /**
     * Looks for what the client of an equal request has left.
     * @param since when it has left at the earliest
     */
    rejoin(values: JobValues, mayRepeat: boolean, since: number, now: number): ClaimResult {
      const [owner, id, consumer, , , , , fingerprint, version, , , retrievable, background] = values;
      for (;;) {
        const equal = [consumer, fingerprint, version, since] as const;
        const found = background === 1 ? findUnknown.get(...equal, now) : findLeft.get(...equal, retrievable, now);
        const row = found as Row | undefined;
        if (row === undefined) return ['new', id, 1, false, hasEqual(values)];
        const isRepeat = mayBeRepeated(row, mayRepeat);
        // One that can be retrieved stays where its client may look for it.
        if (isRepeat || repeatable.includes(row.state)) (row.retrievable === 1 ? settle : remove).run(row.id);
        // Everybody may learn of an unknown outcome, and only one client gets the images.
        else if (row.state !== 'unknown') take.run(owner, row.id);
        if (isRepeat) return ['new', id, 1, true];
        if (row.state === 'running') return ['running', row.id];
        if (!repeatable.includes(row.state)) return ['ended', row.id, row.response];
      }
    },
  };
}

function wasSent({ response }: Row): boolean {
  const end = JSON.parse(response) as JobEnd;
  return end.name !== 'done' && end.failure.report.sent;
}

function mayBeRepeated({ state, repeated }: Row, mayRepeat: boolean): boolean {
  return state === 'unknown' && mayRepeat && repeated === 0;
}
