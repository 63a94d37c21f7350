import { Counter, type Registry } from 'prom-client';
import { type Cost, costAsNumber } from '../domain/cost.ts';

type Labels = { readonly model: string; readonly target: string; readonly currency: string };

/** What calls have cost in all. It is summed exactly, and becomes a floating-point number only when it is read. */
export class CostCounter {
  readonly #sums = new Map<string, { readonly labels: Labels; cost: Cost }>();

  constructor(registry: Registry) {
    const sums = this.#sums;
    new Counter({
      name: 'gateway_cost_total',
      help: 'What paid calls have cost, as far as it is known, in the operator’s currency',
      labelNames: ['model', 'target', 'currency'],
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, cost } of sums.values()) this.inc(labels, costAsNumber(cost));
      },
    });
  }

  add(labels: Labels, cost: Cost): void {
    const name = JSON.stringify([labels.model, labels.target, labels.currency]);
    const sum = this.#sums.get(name) ?? { labels, cost: 0n };
    sum.cost += cost;
    this.#sums.set(name, sum);
  }
}
