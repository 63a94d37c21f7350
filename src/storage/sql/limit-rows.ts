import { firstRow, hasChanged, type Steps, statement } from './steps.ts';

/** What was taken in windows of time, and the places that are taken now. */
export const limitTables = `
  create table usage_windows (name text primary key, used bigint not null, ends_at bigint not null);
  create table place_holders (consumer text primary key, changes bigint not null);
  create table places (id text primary key, consumer text not null, owner text not null);
  create index places_by_consumer on places (consumer);
`;

type WindowRow = { readonly used: number; readonly ends_at: number };

/** What is used of a window, and when it ends. */
export type WindowUse = readonly [used: number, endsAt: number];

const begin = 'insert into usage_windows (name, used, ends_at) values (?, 0, ?) on conflict (name) do nothing';
const beginAgain = 'update usage_windows set used = 0, ends_at = ? where name = ? and ends_at <= ?';
const take = `
  update usage_windows set used = used + ? where name = ? and ends_at > ? and used + ? <= ? returning used, ends_at`;
const putBack = `
  update usage_windows set used = case when used < ? then 0 else used - ? end where name = ? and ends_at = ?`;
const find = 'select used, ends_at from usage_windows where name = ? and ends_at > ?';

// Whoever changes the row first is alone with the places of the consumer until the transaction ends.
const lock = `
  insert into place_holders (consumer, changes) values (?, 1)
  on conflict (consumer) do update set changes = place_holders.changes + 1`;
const insertPlace = `
  insert into places (id, consumer, owner)
  select ?, ?, ?
  where (select count(*) from places where consumer = ? and owner in (select id from owners)) < ?`;
const removePlace = 'delete from places where id = ?';
const removeDead = 'delete from places where owner not in (select id from owners)';

/** The limits of consumers that several processes count together. */
export const limitOperations = {
  /** Takes all of the points, or none: then `isTaken` is false. */
  *takeFromWindow(
    name: string,
    points: number,
    limit: { readonly points: number; readonly windowMs: number },
    now: number,
  ): Steps<readonly [isTaken: boolean, ...WindowUse]> {
    const endsAt = now + limit.windowMs;
    yield statement(begin, name, endsAt);
    yield statement(beginAgain, endsAt, name, now);
    const taken = yield* firstRow<WindowRow>(take, points, name, now, points, limit.points);
    if (taken !== undefined) return [true, taken.used, taken.ends_at];
    return [false, ...(yield* limitOperations.readWindow(name, now))];
  },
  *putBackIntoWindow(name: string, points: number, endsAt: number, now: number): Steps<WindowUse> {
    yield statement(putBack, points, points, name, endsAt);
    return yield* limitOperations.readWindow(name, now);
  },
  *readWindow(name: string, now: number): Steps<WindowUse> {
    const row = yield* firstRow<WindowRow>(find, name, now);
    return row === undefined ? [0, now] : [row.used, row.ends_at];
  },
  /** Returns whether there was a place. */
  *takePlace(id: string, consumer: string, owner: string, places: number): Steps<boolean> {
    yield statement(lock, consumer);
    return yield* hasChanged(insertPlace, id, consumer, owner, consumer, places);
  },
  *freePlace(id: string): Steps<void> {
    yield statement(removePlace, id);
  },
  /** The places of processes that have died. */
  *freeDeadPlaces(): Steps<void> {
    yield statement(removeDead);
  },
};
