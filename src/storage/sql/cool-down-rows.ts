import type { SharedCoolDown } from '../../domain/shared-cool-downs.ts';
import { type Steps, statement } from './steps.ts';

/** What processes have learned about targets, one row for each target and kind of knowledge. */
export const coolDownTables = `
  create table cool_downs (
    target text not null,
    what text not null,
    owner text not null,
    until bigint not null,
    asked_until bigint not null,
    kind text not null,
    message text not null,
    primary key (target, what)
  );
`;

const write = `
  insert into cool_downs (target, what, owner, until, asked_until, kind, message) values (?, ?, ?, ?, ?, ?, ?)
  on conflict (target, what) do update
  set owner = excluded.owner, until = excluded.until, asked_until = excluded.asked_until, kind = excluded.kind,
    message = excluded.message
  where cool_downs.until < excluded.until`;
const removeOver = 'delete from cool_downs where until <= ?';
const readOthers =
  'select target, what, until, asked_until, kind, message from cool_downs where until > ? and owner <> ?';

/** How processes tell each other about targets. */
export const coolDownOperations = {
  *beginCoolDown(owner: string, told: SharedCoolDown, now: number): Steps<void> {
    const { target, what, until, askedUntil, kind, message } = told;
    yield statement(removeOver, now);
    yield statement(write, target, what, owner, until, askedUntil, kind, message);
  },

  /** What other processes have told, and is not over. */
  *readCoolDowns(owner: string, now: number): Steps<readonly SharedCoolDown[]> {
    const { rows } = yield statement(readOthers, now, owner);
    return rows.map(
      ({ asked_until, until, ...row }) =>
        ({ ...row, until: Number(until), askedUntil: Number(asked_until) }) as SharedCoolDown,
    );
  },
};
