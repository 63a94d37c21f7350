import type { Budget } from '../../src/domain/budget.ts';
import type { Ledger, MoneyReservation, Settling } from '../../src/domain/ledger.ts';
import { Accounts } from '../../src/generations/accounts.ts';

export type FakeAccounts = {
  readonly accounts: Accounts;
  readonly reserved: readonly MoneyReservation[];
  readonly settled: readonly Settling[];
};

/** Accounts that note what they are told. @param failures how often a settlement fails */
export function fakeAccounts({ budget, left = Number.POSITIVE_INFINITY, failures = 0 }: Options = {}): FakeAccounts {
  const reserved: MoneyReservation[] = [];
  const settled: Settling[] = [];
  let [free, failing] = [left, failures];
  const ledger: Ledger = {
    async reserve(reservation) {
      reserved.push(reservation);
      const isGranted = reservation.amount <= free;
      if (isGranted) free -= reservation.amount;
      return { isGranted, used: 0 };
    },
    async settle(settling) {
      failing -= 1;
      if (failing >= 0) throw new Error('the store is away');
      settled.push(settling);
    },
    used: async () => [],
    spend: async () => [],
    takeOver: async () => {},
  };
  const accounts = new Accounts({
    ledger,
    recorder: { budgetUsed() {} },
    now: Date.now,
    currency: () => 'USD',
    budgetOf: () => budget,
  });
  return { accounts, reserved, settled };
}

type Options = { readonly budget?: Budget; readonly left?: number; readonly failures?: number };
