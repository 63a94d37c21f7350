import { type Column, columns } from './figure.ts';
import { type Spread, spreadOf } from './statistics.ts';

/** What rounds have given, by contestant. */
export class Rounds {
  readonly #values = new Map<Column, number[]>();

  add(column: Column, value: number): void {
    this.#values.set(column, [...(this.#values.get(column) ?? []), value]);
  }

  /** The same rounds, each less what another contestant had in the same round. */
  less(other: Column): Rounds {
    const theirs = this.#values.get(other) ?? [];
    const result = new Rounds();
    for (const [column, values] of this.#values) {
      for (const [round, value] of values.entries()) {
        if (column !== other) result.add(column, value - (theirs[round] ?? Number.NaN));
      }
    }
    return result;
  }

  spreads(): Partial<Record<Column, Spread>> {
    const measured = columns.filter((column) => this.#values.has(column));
    return Object.fromEntries(measured.map((column) => [column, spreadOf(this.#values.get(column) ?? [])]));
  }
}
