import { lockConsumer } from './lock-consumer.ts';
import { firstRow, hasChanged, type Steps, statement } from './steps.ts';

/** What was taken in windows of time, and the permits that are held now. */
export const limitTables = `
  create table usage_windows (name text primary key, used bigint not null, ends_at bigint not null);
  create table permit_holders (consumer text primary key, changes bigint not null);
  create table consumer_permits (id text primary key, consumer text not null, owner text not null);
  create index consumer_permits_by_consumer on consumer_permits (consumer);
`;

type WindowRow = { readonly used: number; readonly ends_at: number };

/** What is used of a window, and when it ends. */
export type WindowUse = readonly [used: number, endsAt: number];

const begin = 'insert into usage_windows (name, used, ends_at) values (?, 0, ?) on conflict (name) do nothing';
const beginAgain = 'update usage_windows set used = 0, ends_at = ? where name = ? and ends_at <= ?';
const take = `
  update usage_windows set used = used + ? where name = ? and ends_at > ? and used + ? <= ? returning used, ends_at`;
const refund = `
  update usage_windows set used = case when used < ? then 0 else used - ? end where name = ? and ends_at = ?`;
const find = 'select used, ends_at from usage_windows where name = ? and ends_at > ?';

const insertPermit = `
  insert into consumer_permits (id, consumer, owner)
  select ?, ?, ?
  where (select count(*) from consumer_permits where consumer = ? and owner in (select id from owners)) < ?`;
const removePermit = 'delete from consumer_permits where id = ?';
const removeDead = 'delete from consumer_permits where owner not in (select id from owners)';

/** The limits of consumers that several processes count together. */
export const limitOperations = {
  /** Takes all of the points, or none: then `isTaken` is false. */
  *takeFromWindow(
    name: string,
    points: number,
    limit: { readonly points: number; readonly windowMs: number },
    now: number,
  ): Steps<readonly [isTaken: boolean, ...WindowUse]> {
    const tryToTake = () => firstRow<WindowRow>(take, points, name, now, points, limit.points);
    let taken = yield* tryToTake();
    if (taken === undefined) {
      // Perhaps there is no window that lasts.
      const endsAt = now + limit.windowMs;
      yield statement(begin, name, endsAt);
      yield statement(beginAgain, endsAt, name, now);
      taken = yield* tryToTake();
    }
    if (taken !== undefined) return [true, taken.used, taken.ends_at];
    return [false, ...(yield* limitOperations.readWindow(name, now))];
  },
  *refundWindow(name: string, points: number, endsAt: number, now: number): Steps<WindowUse> {
    yield statement(refund, points, points, name, endsAt);
    return yield* limitOperations.readWindow(name, now);
  },
  *readWindow(name: string, now: number): Steps<WindowUse> {
    const row = yield* firstRow<WindowRow>(find, name, now);
    return row === undefined ? [0, now] : [row.used, row.ends_at];
  },
  /** Returns whether a permit was free. */
  *acquirePermit(id: string, consumer: string, owner: string, permits: number): Steps<boolean> {
    // Nobody else counts the permits of the consumer meanwhile.
    yield lockConsumer('permit_holders', consumer);
    return yield* hasChanged(insertPermit, id, consumer, owner, consumer, permits);
  },
  *releasePermit(id: string): Steps<void> {
    yield statement(removePermit, id);
  },
  /** Those of processes that have died. */
  *releaseDeadPermits(): Steps<void> {
    yield statement(removeDead);
  },
};
