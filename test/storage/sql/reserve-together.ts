import { expect } from 'vitest';
import { periodAt } from '../../../src/domain/budget.ts';
import type { RunBudget } from './open-budget-database.ts';

const period = periodAt('day', Date.UTC(2026, 10, 30, 12));

/** Several processes reserve at once from one budget; together they must never get more than it has. */
export async function expectNeverExceeded(processes: readonly RunBudget[], limit = 10, tries = 100): Promise<void> {
  const reserve = async (run: RunBudget, index: number) => {
    const id = `reservation-${index}`;
    const common = { id, job: id, consumer: 'shared', period, day: '2026-11-30', amount: 1, each: 1 };
    const { isGranted } = await run('reserveMoney', common, limit, 'process');
    return isGranted ? [{ id, run }] : [];
  };
  const all = Array.from({ length: tries }, (_, index) =>
    reserve(processes[index % processes.length] as RunBudget, index),
  );
  const granted = (await Promise.all(all)).flat();
  expect(granted).toHaveLength(limit);
  const settler = { owners: ['process', 'process'], others: [] } as const;
  const settle = async ({ id, run }: (typeof granted)[number], cost: number | undefined) => {
    const isUnknown = cost === undefined;
    const call = { id, target: 't', asked: 1, images: 1, tokens: undefined, cost, isEstimate: false, isUnknown };
    const settling = {
      consumer: 'shared',
      model: 'm',
      day: '2026-11-30',
      currency: 'USD',
      calls: [call],
      isPart: false,
    };
    await run('settleCalls', { reservation: { id, job: id, isAdopted: false }, ...settling }, settler, 1);
  };
  // Each is reported by two, as after a takeover.
  await Promise.all(granted.flatMap((one, index) => [0, 1].map(() => settle(one, index % 2 === 0 ? 1 : undefined))));
  const [first = all[0] as never] = processes;
  expect(await first('usedMoney', [{ consumer: 'shared', period }])).toEqual([limit]);
  const [sum] = await first('sumSpend', { from: '2026-11-30', to: '2026-11-30', by: [], consumer: 'shared' });
  expect(sum).toMatchObject({ calls: limit, cost: limit / 2, assumedCost: limit / 2, unknownOutcomes: limit / 2 });
}
