import { Counter, Gauge, type Registry } from 'prom-client';
import { type BudgetUsage, usedShare } from '../domain/budget.ts';

type ReadBudgets = () => Promise<readonly (BudgetUsage & { readonly consumer: string })[]>;

/** What is counted of budgets. Their consumers are those of the keys file. */
export function budgetMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ['consumer'] as const;
  let read: ReadBudgets | undefined;
  const budgetRefused = new Counter({
    name: 'gateway_budget_refused_total',
    help: 'Requests that were refused because the budget of their consumer is used up, or would be',
    labelNames,
    registers,
  });
  const budgetSoft = new Counter({
    name: 'gateway_budget_soft_limit_total',
    help: 'Requests that were let in beyond the soft limit of a budget',
    labelNames,
    registers,
  });
  new Gauge({
    name: 'gateway_budget_used_ratio',
    help: 'What is spent and reserved in the current period, as a share of the budget',
    labelNames,
    registers,
    async collect() {
      // A store that is not available must not keep the other metrics back.
      const usages = (await read?.().catch(() => undefined)) ?? [];
      this.reset();
      for (const usage of usages) this.set({ consumer: usage.consumer }, usedShare(usage));
    },
  });
  return {
    budgetRefused,
    budgetSoft,
    /** Says where budgets can be read; that happens when somebody asks for the metrics. */
    watchBudgets(where: ReadBudgets): void {
      read = where;
    },
  };
}
