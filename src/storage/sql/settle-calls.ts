import type { CallCharge, Settling } from '../../domain/ledger.ts';
import { lockConsumer } from './lock-consumer.ts';
import { type Row, type SqlValue, type Steps, statement } from './steps.ts';

/** The process that settles. */
export type Settler = {
  /** Its id when it reserved, and now: others have taken it for dead in between where these differ. */
  readonly owners: readonly [string, string];
  /** What it has reserved for the same job, and still holds for another run of it. */
  readonly others: readonly string[];
};

/** Which reservations end. */
type Ending = { readonly where: string; readonly values: readonly SqlValue[] };

/**
 * Counts what calls have cost: each call once, whoever reports it, and how often. What was reserved for the job is given back,
 * also by an earlier run that never did, and a call whose cost is not known counts with what was reserved for it.
 * @param at in milliseconds since 1970
 */
export function* settleCalls(settling: Settling, { owners, others }: Settler, at: number): Steps<void> {
  const { job, isAdopted } = settling.reservation;
  // Whoever was frozen must not give back what belongs to the process that has taken the job over: that has the job's row now,
  // and the reservation a moment later.
  const where = `
    job = ? and (owner in (?, ?) or ? = 1)${others.map(() => ' and id <> ?').join('')}
    and not exists (
      select 1 from jobs where jobs.id = budget_reservations.job and state = 'running' and jobs.owner not in (?, ?))`;
  yield* settle(settling, { where, values: [job, ...owners, isAdopted ? 1 : 0, ...others, ...owners] }, at);
}

/** The same for one reservation, as long as it has this owner. */
export function* settleOne(settling: Settling, owner: string, at: number): Steps<void> {
  yield* settle(settling, { where: 'id = ? and owner = ?', values: [settling.reservation.id, owner] }, at);
}

function* settle(settling: Settling, { where, values }: Ending, at: number): Steps<void> {
  const { consumer, day, calls, isPart } = settling;
  // The first row of a budget begins with a sum, which must not miss what is settled here. First, so that nobody who holds the
  // lock waits for a row of a budget that was changed here.
  yield lockConsumer('budget_holders', consumer);
  const fresh: CallCharge[] = [];
  // In one order, so that two processes that settle the same calls do not wait for each other.
  for (const call of calls.toSorted((one, other) => (one.id < other.id ? -1 : 1))) {
    const { changes } = yield statement(
      'insert into settled_calls (id, settled_at) values (?, ?) on conflict (id) do nothing',
      call.id,
      at,
    );
    if (changes > 0) fresh.push(call);
  }
  const text = isPart
    ? `select period, amount, each_image from budget_reservations where ${where}`
    : `delete from budget_reservations where ${where} returning period, amount, each_image`;
  const { rows: reserved } = yield statement(text, ...values);
  if (!isPart) yield* giveBack(consumer, reserved);
  const each = Math.max(0, ...reserved.map((row) => Number(row.each_image)));
  yield* count(settling, fresh, each);
  const charge = fresh.reduce((sum, { cost, asked }) => sum + (cost ?? each * asked), 0);
  if (charge === 0) return;
  // A budget that was changed from days to months, or back, finds the sum of its period.
  yield statement(
    'update budgets set spent = spent + ? where consumer = ? and period in (?, ?)',
    ...[charge, consumer, day, day.slice(0, 7)],
  );
}

function* giveBack(consumer: string, reserved: readonly Row[]): Steps<void> {
  for (const { period = '', amount = 0 } of reserved) {
    yield statement(
      'update budgets set reserved = reserved - ? where consumer = ? and period = ?',
      ...[amount, consumer, period],
    );
  }
}

const sums = [
  ...['calls', 'images', 'text_in', 'image_in', 'cached_in', 'text_out', 'image_out'],
  ...['cost', 'estimated_cost', 'assumed_cost', 'unpriced', 'unknown_outcomes'],
];

const upsert = `
  insert into spend (consumer, model, target, day, currency, ${sums.join(', ')})
  values (?, ?, ?, ?, ?, ${sums.map(() => '?').join(', ')})
  on conflict (consumer, day, model, target, currency) do update set
  ${sums.map((name) => `${name} = spend.${name} + excluded.${name}`).join(', ')}`;

function* count({ consumer, model, day, currency }: Settling, calls: readonly CallCharge[], each: number): Steps<void> {
  for (const { target, asked, images, tokens, cost, isEstimate, isUnknown } of calls.toSorted(byTarget)) {
    const { textIn = 0, imageIn = 0, cachedIn = 0, textOut = 0, imageOut = 0 } = tokens ?? {};
    yield statement(
      upsert,
      ...([consumer, model, target, day, currency] as const),
      ...([1, images, textIn, imageIn, cachedIn, textOut, imageOut] as const),
      ...([cost ?? 0, isEstimate ? (cost ?? 0) : 0, cost === undefined ? each * asked : 0] as const),
      ...([cost === undefined && !isUnknown ? 1 : 0, isUnknown ? 1 : 0] as const),
    );
  }
}

function byTarget(one: CallCharge, other: CallCharge): number {
  return one.target < other.target ? -1 : Number(one.target > other.target);
}
