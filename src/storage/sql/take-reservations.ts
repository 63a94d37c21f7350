import type { JobAttempt } from '../../domain/job-store.ts';
import { chargesOfAttempts } from '../../domain/ledger.ts';
import { settleOne } from './settle-calls.ts';
import { firstRow, type Row, type Steps, statement } from './steps.ts';

const find = `
  select r.id, r.job, r.owner, r.consumer, r.day, j.model, j.state, j.attempts
  from budget_reservations r left join jobs j on j.id = r.job where`;

/**
 * Settles what processes have reserved that have died. A job that goes on takes its reservation along, and settles it at its
 * end. Of a job that has ended without that, or of which nothing was sent, there is nobody else to do it.
 * @param owner the process that takes them over
 * @param strays ids of its own reservations that it does not hold: they were committed after it had given them up
 * @param currency of calls that were never counted
 * @param at in milliseconds since 1970
 */
export function* takeReservations(owner: string, strays: readonly string[], currency: string, at: number): Steps<void> {
  const { rows } = yield statement(`${find} r.owner not in (select id from owners) order by r.id`);
  const own: Row[] = [];
  for (const id of strays) {
    const row = yield* firstRow<Row>(`${find} r.id = ? and r.owner = ?`, id, owner);
    if (row !== undefined) own.push(row);
  }
  for (const row of [...rows, ...own]) {
    const { id, job, consumer, day, model, state } = row;
    if (state === 'running') {
      yield statement(
        'update budget_reservations set owner = ? where id = ? and owner = ?',
        ...[owner, String(id), String(row.owner)],
      );
      continue;
    }
    yield* settleOne(
      {
        reservation: { id: String(id), job: String(job), isAdopted: false },
        consumer: String(consumer),
        model: String(model ?? ''),
        day: String(day),
        currency,
        // A job without a row has sent nothing: its row is written before its first call.
        calls: chargesOfAttempts(JSON.parse(String(row.attempts ?? '[]')) as readonly JobAttempt[], false),
        isPart: false,
      },
      String(row.owner),
      at,
    );
  }
}
