import { expect, test } from 'vitest';
import { periodAt } from '../../../src/domain/budget.ts';
import { GatewayError } from '../../../src/domain/gateway-error.ts';
import type { MoneyReservation, Settling } from '../../../src/domain/ledger.ts';
import type { OperationRunner } from '../../../src/storage/sql/operations.ts';
import { SqlLedger } from '../../../src/storage/sql/sql-ledger.ts';
import { openBudgetDatabase } from './open-budget-database.ts';

const period = periodAt('month', Date.UTC(2026, 10, 30, 12));
const common = { consumer: 'shop', day: '2026-11-30' };

function reservation(id: string): MoneyReservation {
  return { ...common, id, job: `job of ${id}`, period, amount: 40, each: 40 };
}

function nothingOf(id: string): Settling {
  const settled = { model: 'poster', currency: 'USD', calls: [], isPart: false };
  return { ...common, ...settled, reservation: { id, job: `job of ${id}`, isAdopted: false } };
}

/** A ledger whose commits may be given up before they come. */
async function openLedger() {
  const database = await openBudgetDatabase();
  await database.exec(`insert into owners (id) values ('me')`);
  const late: (() => Promise<unknown>)[] = [];
  let isLate = false;
  const run = (name: string, ...values: unknown[]) => {
    const step = () => (database.run as (...all: unknown[]) => Promise<unknown>)(name, ...values);
    if (!isLate || name !== 'reserveMoney') return step();
    late.push(step);
    return Promise.reject(new GatewayError('store_unavailable', 'given up', { outcome: 'not-processed' }));
  };
  const ledger = new SqlLedger({ run } as unknown as OperationRunner, { id: 'me' });
  const reserveLate = async (id: string) => {
    isLate = true;
    await expect(ledger.reserve(reservation(id), 100)).rejects.toThrow();
    isLate = false;
  };
  const commit = () => Promise.all(late.splice(0).map((step) => step()));
  const used = async () => (await ledger.used([{ consumer: 'shop', period }]))[0];
  return { ledger, reserveLate, commit, used };
}

test('a reservation whose commit comes after it was settled is given back', async () => {
  const { ledger, reserveLate, commit, used } = await openLedger();
  await reserveLate('late');
  await ledger.settle(nothingOf('late'));
  await commit();
  expect(await used()).toBe(40);
  await ledger.takeOver('USD');
  expect(await used()).toBe(0);
});

test('a reservation that is still held stays, whether or not its commit was heard of', async () => {
  const { ledger, reserveLate, commit, used } = await openLedger();
  await ledger.reserve(reservation('held'), 100);
  await reserveLate('late');
  await commit();
  await ledger.takeOver('USD');
  expect(await used()).toBe(80);
  await ledger.settle(nothingOf('late'));
  await ledger.settle(nothingOf('held'));
  expect(await used()).toBe(0);
});
