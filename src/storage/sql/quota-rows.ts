import { type LoggedGrant, type QuotaWait, scheduleTurns, type WindowLimits } from './quota-schedule.ts';
import { hasChanged, type Row, type SqlValue, type Steps, statement } from './steps.ts';

/**
 * Pools, what was granted of them in the last window, and who waits. Whoever decides updates the row of the pool first: that
 * makes others wait until the decision is committed.
 */
export const quotaTables = `
  create table quota_pools (
    name text primary key,
    turns bigint not null,
    blocked_until bigint not null default 0,
    learned integer,
    learned_at bigint not null default 0
  );
  create table quota_grants (
    id text primary key,
    pool text not null,
    consumer text not null,
    owner text not null,
    requests integer not null,
    images integer not null,
    granted_at bigint not null,
    sent integer not null
  );
  create index quota_grants_by_time on quota_grants (pool, granted_at);
  create table quota_waits (
    id text primary key,
    pool text not null,
    consumer text not null,
    owner text not null,
    images integer not null,
    queued_at bigint not null,
    seen_at bigint not null
  );
  create index quota_waits_by_pool on quota_waits (pool);
`;

/** How a pool is to be used. Times are in milliseconds. */
export type PoolRule = {
  readonly pool: string;
  /** What it allows in a window; `null`: what it has learned. */
  readonly requests: number | null;
  readonly images: number | null;
  /** Azure's, with a margin: its clock shows another time when a call arrives than ours when it was sent. */
  readonly windowMs: number;
  /** How late a call may arrive there. */
  readonly marginMs: number;
  /** A process that has not asked for so long gets no turn. */
  readonly staleMs: number;
};

/** What the waiting calls of one process have got. */
export type TakenTurns = {
  readonly granted: readonly string[];
  /** When the others will probably be sent. */
  readonly starts: readonly (readonly [id: string, at: number])[];
};

/** What a 429 has said. */
export type QuotaRefusal = { readonly until: number; readonly limit: number | null };

/** What a response has said is left; `resetAt`: when the quota allows requests again. */
export type QuotaReport = {
  readonly id: string;
  readonly limit: number | null;
  readonly remaining: number;
  readonly resetAt: number | null;
  /** How many requests were known when the call was sent: nobody says of which moment it speaks. */
  readonly usedWhenSent: number;
};

type PoolRow = {
  readonly blocked_until: number;
  readonly learned: number | null;
  readonly learned_at: number;
};

const lockPool = `
  insert into quota_pools (name, turns) values (?, 1)
  on conflict (name) do update set turns = quota_pools.turns + 1
  returning blocked_until, learned, learned_at`;
const removeOld = `
  delete from quota_grants
  where pool = ? and (granted_at <= ? or (sent = 0 and owner not in (select id from owners)))`;
const removeStale = 'delete from quota_waits where pool = ? and owner <> ? and seen_at < ?';
const keepWaits = 'update quota_waits set seen_at = ? where pool = ? and owner = ?';
const readGrants = 'select id, owner, consumer, requests, images, granted_at, sent from quota_grants where pool = ?';
const readWaits = 'select id, owner, consumer, images, queued_at from quota_waits where pool = ?';
const insertWaits = 'insert into quota_waits (id, pool, consumer, owner, images, queued_at, seen_at)';
const removeWait = 'delete from quota_waits where id = ?';
const insertGrants = 'insert into quota_grants (id, pool, consumer, owner, requests, images, granted_at, sent)';
const renewGrant = 'update quota_grants set granted_at = ? where id = ?';
const stampGrant = 'update quota_grants set granted_at = ?, sent = 1 where id = ?';
const countUsed =
  'select coalesce(sum(requests), 0) as requests from quota_grants where pool = ? and (sent = 0 or granted_at > ?)';
const removeGrant = 'delete from quota_grants where id = ?';
const block = 'update quota_pools set blocked_until = ? where name = ? and blocked_until < ?';
const learn = 'update quota_pools set learned = ?, learned_at = ? where name = ?';
const readPools = `
  select name, learned, learned_at,
    (select coalesce(sum(requests), 0) from quota_grants where pool = name and (sent = 0 or granted_at > ?)) as requests,
    (select coalesce(sum(images), 0) from quota_grants where pool = name and (sent = 0 or granted_at > ?)) as images
  from quota_pools where name = ?`;

/** Rows of one statement. The databases keep each statement that was prepared, one for each number of rows. */
const maxRows = 100;

/** How quota pools are shared. */
export const quotaOperations = {
  /**
   * Queues calls of a process that do not wait yet, and gives it the turns that are its. A grant whose answer was lost is given
   * again: its call still waits. @param waits all that it has
   */
  *takeQuota(rule: PoolRule, owner: string, waits: readonly QuotaWait[], now: number): Steps<TakenTurns> {
    const { pool, staleMs } = rule;
    const row = yield* lock(rule, now);
    yield statement(removeStale, pool, owner, now - staleMs);
    const { rows } = yield statement(readWaits, pool);
    const others = rows.filter((row) => row.owner !== owner).map(waitOf);
    const known = new Set(rows.filter((row) => row.owner === owner).map(({ id }) => String(id)));
    const grants = (yield statement(readGrants, pool)).rows;
    const unsent = new Set(grants.filter((row) => row.owner === owner && row.sent === 0).map(({ id }) => String(id)));
    const again = waits.filter(({ id }) => unsent.has(id));
    const turns = scheduleTurns({
      grants: grants.map((row) => grantOf(row, now)),
      waits: [...others, ...waits.filter(({ id }) => !unsent.has(id))],
      limits: limitsOf(rule, row, now),
      from: Math.max(now, row.blocked_until),
    });
    const own = new Set(waits.map(({ id }) => id));
    const mine = turns.filter(({ wait }) => own.has(wait.id));
    const granted = mine.filter(({ at }) => at <= now).map(({ wait }) => wait);
    const given = [...again, ...granted];
    yield* keep(pool, owner, { waits, granted: given, known }, now);
    for (const { id } of again) yield statement(renewGrant, now, id);
    const taken = granted.map(({ id, consumer, images }) => [id, pool, consumer, owner, 1, images, now, 0]);
    yield* insert(insertGrants, taken);
    const starts = mine.filter(({ at }) => at > now).map(({ wait, at }) => [wait.id, at] as const);
    return { granted: given.map(({ id }) => id), starts };
  },

  /** A call is about to be sent. Returns how many requests of the last window are known; `undefined`: its grant is gone. */
  *stampQuota({ pool, windowMs }: PoolRule, id: string, now: number): Steps<number | undefined> {
    if (!(yield* hasChanged(stampGrant, now, id))) return undefined;
    const { rows } = yield statement(countUsed, pool, now - windowMs);
    return Number(rows[0]?.requests);
  },

  /** Calls do not wait any more, or were not sent. */
  *leaveQuota(ids: readonly string[]): Steps<void> {
    for (const id of ids) {
      yield statement(removeWait, id);
      yield statement(removeGrant, id);
    }
  },

  /**
   * A response has told what is left. What others have used is logged, as if they had used it now. A limit below that of the pool is
   * one of a shorter time, such as 50 for 10 seconds of 300 a minute (https://learn.microsoft.com/answers/questions/2156987): what
   * is left of that is no news.
   */
  *correctQuota(rule: PoolRule, report: QuotaReport, now: number): Steps<void> {
    const { id, remaining, resetAt, usedWhenSent } = report;
    const row = yield* lock(rule, now);
    const usedNow = (yield* grantsOf(rule.pool, now)).reduce((sum, { requests }) => sum + requests, 0);
    const { requests: limit } = limitsOf(rule, row, now);
    if (limit !== undefined && report.limit !== null && report.limit < limit) return;
    // Where nothing is known, only a quota that is used up is news.
    const missing = limit === undefined ? 0 : limit - Math.max(usedNow, usedWhenSent) - remaining;
    if (missing > 0 && report.limit !== null) {
      yield* insert(insertGrants, [[id, rule.pool, '', '', missing, 0, now, 1]]);
    }
    const isNews = limit === undefined || missing > 0;
    if (remaining === 0 && isNews && resetAt !== null) yield statement(block, resetAt, rule.pool, resetAt);
  },

  /** A call was refused: nobody gets a turn for a while, and a pool without numbers learns what it allows. */
  *refuseQuota(rule: PoolRule, { until, limit }: QuotaRefusal, now: number): Steps<void> {
    const row = yield* lock(rule, now);
    yield statement(block, until, rule.pool, until);
    if (rule.requests !== null) return;
    const grants = yield* grantsOf(rule.pool, now);
    // The one that was refused is among them.
    const allowed = grants.reduce((sum, { requests }) => sum + requests, 0) - 1;
    const { requests: known = Number.POSITIVE_INFINITY } = limitsOf(rule, row, now);
    // What it says may be for a shorter time, too.
    yield statement(learn, Math.max(limit ?? 1, Math.min(known, allowed)), now, rule.pool);
  },

  /** What a pool allows, as far as it is known, and how much of that is used. */
  *readQuota(rule: PoolRule, now: number): Steps<{ readonly used: number | undefined }> {
    const from = now - rule.windowMs;
    const { rows } = yield statement(readPools, from, from, rule.pool);
    const row: Row = rows[0] ?? {};
    const { requests, images } = limitsOf(rule, poolOf(row), now);
    const shares = [
      ...(requests === undefined ? [] : [Number(row.requests ?? 0) / requests]),
      ...(images === undefined ? [] : [Number(row.images ?? 0) / images]),
    ];
    return { used: shares.length === 0 ? undefined : Math.max(...shares) };
  },
};

/** Writes many rows with each statement: everybody else who uses the pool waits until all are written. */
function* insert(into: string, rows: readonly (readonly SqlValue[])[], otherwise = ''): Steps<void> {
  for (let first = 0; first < rows.length; first += maxRows) {
    const some = rows.slice(first, first + maxRows);
    const places = some.map((row) => `(${row.map(() => '?').join(', ')})`);
    yield statement(`${into} values ${places.join(', ')} ${otherwise}`, ...some.flat());
  }
}

/** Makes others wait for this decision, and removes what has aged; a call that was not sent by then needs another grant. */
function* lock({ pool, windowMs }: PoolRule, now: number): Steps<PoolRow> {
  const { rows } = yield statement(lockPool, pool);
  yield statement(removeOld, pool, now - windowMs);
  return poolOf(rows[0] as Row);
}

function* grantsOf(pool: string, now: number): Steps<LoggedGrant[]> {
  const { rows } = yield statement(readGrants, pool);
  return rows.map((row) => grantOf(row, now));
}

function poolOf({ blocked_until = 0, learned = null, learned_at = 0 }: Row): PoolRow {
  return {
    blocked_until: Number(blocked_until),
    learned: learned === null ? null : Number(learned),
    learned_at: Number(learned_at),
  };
}

/** One that was not sent yet may be sent at any time. */
function grantOf({ consumer, requests, images, granted_at, sent }: Row, now: number): LoggedGrant {
  const at = sent === 1 ? Number(granted_at) : now;
  return { consumer: String(consumer), requests: Number(requests), images: Number(images), at };
}

function waitOf({ id, consumer, images, queued_at }: Row): QuotaWait {
  return { id: String(id), consumer: String(consumer), images: Number(images), queuedAt: Number(queued_at) };
}

type Kept = {
  readonly waits: readonly QuotaWait[];
  readonly granted: readonly QuotaWait[];
  /** Those of the process that are recorded. */
  readonly known: ReadonlySet<string>;
};

/** Writes who of a process goes on waiting. A process that was stopped for long finds its waits removed, and queues them again. */
function* keep(pool: string, owner: string, { waits, granted, known }: Kept, now: number): Steps<void> {
  const gone = new Set(granted.map(({ id }) => id));
  const staying = new Set(waits.map(({ id }) => id).filter((id) => !gone.has(id)));
  for (const id of known) if (!staying.has(id)) yield statement(removeWait, id);
  const added = waits.filter(({ id }) => !known.has(id) && staying.has(id));
  const rows = added.map(({ id, consumer, images, queuedAt }) => [id, pool, consumer, owner, images, queuedAt, now]);
  yield* insert(insertWaits, rows, 'on conflict (id) do nothing');
  if (staying.size > 0) yield statement(keepWaits, now, pool, owner);
}

/** What a pool has learned is raised by one request for each window without a further 429. */
function limitsOf({ requests, images, windowMs, marginMs }: PoolRule, row: PoolRow, now: number): WindowLimits {
  const { learned, learned_at } = row;
  const known = learned === null ? undefined : learned + Math.max(0, Math.floor((now - learned_at) / windowMs));
  return { requests: requests ?? known, images: images ?? undefined, windowMs, marginMs };
}
