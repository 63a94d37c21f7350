import { describe, expect, test } from 'vitest';
import { periodAt } from '../../../src/domain/budget.ts';
import type { CallCharge, MoneyReservation, Settling } from '../../../src/domain/ledger.ts';
import type { Settler } from '../../../src/storage/sql/settle-calls.ts';
import { type BudgetDatabase, openBudgetDatabase, type RunBudget } from './open-budget-database.ts';
import { expectNeverExceeded } from './reserve-together.ts';

const noon = Date.UTC(2026, 10, 30, 12);
const day = periodAt('day', noon);
const month = periodAt('month', noon);

function reservation(changes: Partial<MoneyReservation> = {}): MoneyReservation {
  return { id: 'r', job: 'j', consumer: 'shop', period: month, day: '2026-11-30', amount: 40, each: 40, ...changes };
}

function call(changes: Partial<CallCharge> = {}): CallCharge {
  const known = { cost: 30, isEstimate: false, isUnknown: false };
  return { id: 'c', target: 't', asked: 1, images: 1, tokens: undefined, ...known, ...changes };
}

const own = { id: 'r', job: 'j', isAdopted: false };
const adopted = { id: 'j+', job: 'j', isAdopted: true };

/** A process, as it settles. */
function by(owner: string, ...others: string[]): Settler {
  return { owners: [owner, owner], others };
}

function settling(changes: Partial<Settling> = {}): Settling {
  const common = { consumer: 'shop', model: 'poster', day: '2026-11-30', currency: 'USD', isPart: false };
  return { reservation: own, calls: [call()], ...common, ...changes };
}

const unknown = call({ cost: undefined, isUnknown: true, images: 0 });

async function used({ run }: BudgetDatabase, period = month): Promise<number | undefined> {
  return (await run('usedMoney', [{ consumer: 'shop', period }]))[0];
}

async function spent({ run }: BudgetDatabase) {
  return await run('sumSpend', { from: '2026-11-01', to: '2026-11-30', by: [], consumer: 'shop' });
}

describe('a reservation', () => {
  test('is granted up to the limit, and not beyond', async () => {
    const database = await openBudgetDatabase();
    const reserve = (id: string) => database.run('reserveMoney', reservation({ id }), 100, 'me');
    expect(await reserve('a')).toEqual({ isGranted: true, used: 40 });
    expect(await reserve('b')).toEqual({ isGranted: true, used: 80 });
    expect(await reserve('c')).toEqual({ isGranted: false, used: 80 });
    expect(await database.run('reserveMoney', reservation({ id: 'd', amount: 20 }), 100, 'me')).toEqual({
      isGranted: true,
      used: 100,
    });
  });

  test('is refused when the first one is more than the limit', async () => {
    const database = await openBudgetDatabase();
    expect(await database.run('reserveMoney', reservation(), 39, 'me')).toEqual({ isGranted: false, used: 0 });
    expect(await used(database)).toBe(0);
  });

  test('of another period or consumer is apart', async () => {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation(), 40, 'me');
    const next = reservation({ id: 'n', period: periodAt('month', noon + 86_400_000) });
    expect(await database.run('reserveMoney', next, 40, 'me')).toMatchObject({ isGranted: true });
    const other = reservation({ id: 'o', consumer: 'other' });
    expect(await database.run('reserveMoney', other, 40, 'me')).toMatchObject({ isGranted: true });
  });

  test('that several processes make at once never exceeds the limit', async () => {
    const { processes } = await openBudgetDatabase();
    await expectNeverExceeded(processes);
  });

  test('that several processes make at once is granted where there is room, also in a new period', async () => {
    const { processes } = await openBudgetDatabase();
    const all = Array.from({ length: 60 }, (_, index) => {
      const run = processes[index % processes.length] as (typeof processes)[0];
      const [consumer, id] = [`consumer-${index % 15}`, `r${index}`];
      return run('reserveMoney', reservation({ consumer, id }), 160, 'me');
    });
    expect((await Promise.all(all)).filter(({ isGranted }) => !isGranted)).toEqual([]);
  });

  test('counts what was spent in its period before there was a budget', async () => {
    const database = await openBudgetDatabase();
    await database.run('settleCalls', settling({ day: '2026-11-02' }), by('me'), 1);
    expect(await used(database)).toBe(30);
    expect(await used(database, day)).toBe(0);
    expect(await database.run('reserveMoney', reservation(), 69, 'me')).toEqual({ isGranted: false, used: 30 });
    expect(await database.run('reserveMoney', reservation(), 70, 'me')).toEqual({ isGranted: true, used: 70 });
  });

  test('that begins a period does not miss what is being settled', async () => {
    const database = await openBudgetDatabase();
    const [one, other = one] = database.processes as [RunBudget, RunBudget?];
    for (let round = 0; round < 40; round += 1) {
      const consumer = `consumer-${round}`;
      // Its statements are many, so that the other one comes between them.
      const calls = Array.from({ length: 12 }, (_, index) =>
        call({ id: `${round}-${index}`, target: `t${index}`, cost: 1 }),
      );
      const settled = one('settleCalls', settling({ consumer, calls }), by('me'), 1);
      await new Promise((resume) => setTimeout(resume, round / 4));
      await other('reserveMoney', reservation({ id: `r${round}`, job: `j${round}`, consumer, amount: 1 }), 1_000, 'me');
      await settled;
      expect(await database.run('usedMoney', [{ consumer, period: month }])).toEqual([13]);
    }
  });

  test('that is added to counts with its sum, and ends as one', async () => {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation(), 100, 'me');
    await database.run('reserveMoney', reservation(), 100, 'me');
    expect(await used(database)).toBe(80);
    await database.run('settleCalls', settling({ calls: [unknown, call({ id: 'd' })] }), by('me'), 1);
    expect(await used(database)).toBe(70);
  });
});

describe('settling', () => {
  test('replaces what was reserved by what it has cost', async () => {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation(), 100, 'me');
    await database.run('settleCalls', settling(), by('me'), 1);
    expect(await used(database)).toBe(30);
    expect(await spent(database)).toMatchObject([{ calls: 1, images: 1, cost: 30, assumedCost: 0, currency: 'USD' }]);
  });

  test('counts a call once that is reported twice', async () => {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation(), 100, 'me');
    await database.run('settleCalls', settling(), by('me'), 1);
    await database.run('settleCalls', settling({ reservation: adopted, calls: [unknown] }), by('me'), 2);
    expect(await used(database)).toBe(30);
    expect(await spent(database)).toMatchObject([{ calls: 1, unknownOutcomes: 0 }]);
  });

  test('keeps what was reserved where the cost is not known', async () => {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation({ amount: 80 }), 100, 'me');
    await database.run('settleCalls', settling({ calls: [unknown, call({ id: 'd' })] }), by('me'), 1);
    expect(await used(database)).toBe(70);
    expect(await spent(database)).toMatchObject([
      { calls: 2, images: 1, cost: 30, assumedCost: 40, unknownOutcomes: 1, unpriced: 0 },
    ]);
  });

  test('tells images without a price from calls with an unknown outcome', async () => {
    const database = await openBudgetDatabase();
    await database.run('settleCalls', settling({ calls: [call({ cost: undefined })] }), by('me'), 1);
    expect(await spent(database)).toMatchObject([{ cost: 0, assumedCost: 0, unpriced: 1, unknownOutcomes: 0 }]);
  });

  test('tells what was counted with list prices', async () => {
    const database = await openBudgetDatabase();
    const calls = [call({ isEstimate: true }), call({ id: 'd', cost: 5 })];
    await database.run('settleCalls', settling({ calls }), by('me'), 1);
    expect(await spent(database)).toMatchObject([{ calls: 2, cost: 35, estimatedCost: 30 }]);
  });

  test('gives everything back where nothing was sent', async () => {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation(), 100, 'me');
    await database.run('settleCalls', settling({ calls: [] }), by('me'), 1);
    expect(await used(database)).toBe(0);
    expect(await spent(database)).toEqual([]);
  });

  test('of a part leaves what was reserved for the rest', async () => {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation({ amount: 80 }), 200, 'me');
    await database.run('settleCalls', settling({ isPart: true }), by('me'), 1);
    expect(await used(database)).toBe(110);
    await database.run(
      'settleCalls',
      settling({ reservation: adopted, calls: [call(), call({ id: 'd' })] }),
      by('me'),
      2,
    );
    expect(await used(database)).toBe(60);
  });

  test('counts for the days and for the months of a consumer', async () => {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation({ id: 'd', job: 'd', period: day }), 100, 'me');
    await database.run('reserveMoney', reservation({ id: 'm', job: 'm' }), 100, 'me');
    await database.run('settleCalls', settling({ reservation: { ...own, id: 'd', job: 'd' } }), by('me'), 1);
    await database.run(
      'settleCalls',
      settling({ reservation: { ...own, id: 'm', job: 'm' }, calls: [call({ id: 'e' })] }),
      by('me'),
      1,
    );
    expect([await used(database, day), await used(database)]).toEqual([60, 60]);
  });

  test('of calls that were settled long ago is forgotten', async () => {
    const database = await openBudgetDatabase();
    await database.run('settleCalls', settling(), by('me'), 1);
    await database.run('pruneSettled', 2);
    expect(await database.all('select * from settled_calls')).toEqual([]);
  });
});

describe('what a process has reserved that has died', () => {
  const attempts = JSON.stringify([{ leg: 0, target: 't', state: 'dispatched', images: ['c'], asked: {} }]);

  async function died(job: string): Promise<BudgetDatabase> {
    const database = await openBudgetDatabase();
    await database.exec(`insert into owners (id) values ('heir'); ${job}`);
    await database.run('reserveMoney', reservation(), 100, 'dead');
    await database.run('takeReservations', 'heir', [], 'USD', 1);
    return database;
  }

  test('is given back where nothing was recorded of its job', async () => {
    expect(await used(await died(''))).toBe(0);
  });

  test('is given back where its job has ended and nothing was sent', async () => {
    expect(
      await used(
        await died(`insert into jobs (id, model, state, attempts) values ('j', 'poster', 'not_processed', '[]')`),
      ),
    ).toBe(0);
  });

  test('goes on with its job', async () => {
    const database = await died(
      `insert into jobs (id, model, state, attempts) values ('j', 'poster', 'running', '${attempts}')`,
    );
    expect(await database.all('select owner from budget_reservations')).toEqual([{ owner: 'heir' }]);
    expect(await used(database)).toBe(40);
    await database.run('settleCalls', settling({ reservation: adopted }), by('heir'), 2);
    expect(await used(database)).toBe(30);
  });

  test('counts as spent where its job has ended and was not settled', async () => {
    const database = await died(
      `insert into jobs (id, model, state, attempts) values ('j', 'poster', 'done', '${attempts}')`,
    );
    expect(await used(database)).toBe(40);
    expect(await spent(database)).toMatchObject([{ calls: 1, assumedCost: 40, unknownOutcomes: 1 }]);
  });

  test('stays where its process lives', async () => {
    const database = await openBudgetDatabase();
    await database.exec(`insert into owners (id) values ('heir'), ('me')`);
    await database.run('reserveMoney', reservation(), 100, 'me');
    await database.run('takeReservations', 'heir', [], 'USD', 1);
    expect(await used(database)).toBe(40);
  });
});

describe('what a process has reserved that was taken for dead', () => {
  /** Its job goes on in another process, which has the reservation, too, or will have it in a moment. */
  async function frozen(isTaken: boolean): Promise<BudgetDatabase> {
    const database = await openBudgetDatabase();
    await database.run('reserveMoney', reservation(), 100, 'frozen');
    await database.exec(`
      insert into owners (id) values ('heir'), ('woken');
      insert into jobs (id, model, state, attempts, owner) values ('j', 'poster', 'running', '[]', 'heir')`);
    if (isTaken) await database.run('takeReservations', 'heir', [], 'USD', 1);
    return database;
  }

  test.each([true, false])('stays with its job when that process wakes (taken: %s)', async (isTaken) => {
    const database = await frozen(isTaken);
    const woken: Settler = { owners: ['frozen', 'woken'], others: [] };
    await database.run('settleCalls', settling({ calls: [] }), woken, 2);
    await database.run('settleCalls', settling({ calls: [], reservation: adopted }), woken, 2);
    expect(await used(database)).toBe(40);
    await database.run('settleCalls', settling({ calls: [unknown], reservation: adopted }), by('heir'), 3);
    expect(await spent(database)).toMatchObject([{ calls: 1, assumedCost: 40 }]);
    expect(await used(database)).toBe(40);
  });

  test('is given back by itself where it has its job again', async () => {
    const database = await frozen(false);
    await database.exec(`update jobs set owner = 'woken'`);
    await database.run('takeReservations', 'woken', [], 'USD', 1);
    await database.run('settleCalls', settling(), { owners: ['frozen', 'woken'], others: [] }, 2);
    expect(await used(database)).toBe(30);
  });
});

describe('what an earlier run of a job has left', () => {
  test('is given back by the next one, but not what another run holds', async () => {
    const database = await openBudgetDatabase();
    for (const id of ['old', 'r', 'next']) await database.run('reserveMoney', reservation({ id }), 200, 'me');
    await database.run('settleCalls', settling(), by('me', 'next'), 1);
    expect(await database.all('select id from budget_reservations')).toEqual([{ id: 'next' }]);
    expect(await used(database)).toBe(70);
  });
});

describe('spend', () => {
  test('is summed up by any of its keys, and only of the days and the consumer that are asked for', async () => {
    const { run } = await openBudgetDatabase();
    const tokens = { textIn: 1, imageIn: 2, cachedIn: 1, textOut: 3, imageOut: 4 };
    const days = ['2026-11-29', '2026-11-30', '2026-12-01'];
    for (const [index, on] of days.entries()) {
      for (const consumer of ['a', 'b']) {
        const calls = [call({ id: `${consumer}${index}`, tokens }), call({ id: `${consumer}${index}x`, target: 'u' })];
        await run('settleCalls', settling({ consumer, day: on, calls }), by('me'), 1);
      }
    }
    const november = { from: '2026-11-01', to: '2026-11-30' };
    const byConsumer = await run('sumSpend', { ...november, by: ['consumer'], consumer: undefined });
    expect(byConsumer).toMatchObject([
      { consumer: 'a', calls: 4, cost: 120, textIn: 2, imageOut: 8 },
      { consumer: 'b', calls: 4, cost: 120 },
    ]);
    const own = await run('sumSpend', { ...november, by: ['day', 'target'], consumer: 'a' });
    expect(own.map(({ day: on, target }) => `${on} ${target}`).sort()).toEqual([
      '2026-11-29 t',
      '2026-11-29 u',
      '2026-11-30 t',
      '2026-11-30 u',
    ]);
    expect(own.every(({ consumer }) => consumer === undefined)).toBe(true);
  });
});
