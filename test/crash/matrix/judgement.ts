import type { JobResult } from './kill-chain.ts';
import { legsOf } from './modes.ts';

/** What is wrong with a result, in words; nothing is, if everything is as it must be. */
export function problemsOf(result: JobResult): string[] {
  const { mode, expected, status, code, billed, wasDelivered, isEqual, isReplay, left, replies } = result;
  const problems: string[] = [];
  const legs = legsOf(mode);
  if (billed > legs) problems.push(`billed ${billed} times`);
  if (wasDelivered && status !== 200) problems.push('delivered, then lost');
  if (!isEqual) problems.push('other bytes');
  if (status === 200 ? billed !== legs : status !== 502 || code !== 'upstream_outcome_unknown') {
    problems.push(`status ${status} ${code ?? ''}, billed ${billed}`);
  }
  if (expected !== undefined && (expected.status !== status || expected.billed !== billed)) {
    problems.push(`status ${status}, billed ${billed}, and not status ${expected.status}, billed ${expected.billed}`);
  }
  if (!isReplay) problems.push('not a replay');
  if (left.length > 0) problems.push(`left: ${left}`);
  return problems.map((problem) => `${problem} (${replies.join('; ')})`);
}

/** The same for many, with the point at which each gateway was killed. */
export function problemsIn(results: readonly JobResult[]): string[] {
  return results.flatMap((result) => problemsOf(result).map((problem) => `${result.point}: ${problem}`));
}

/** What many results have in common, for one line. */
export class Tally {
  kills = 0;
  #jobs = 0;
  #billedTwice = 0;
  #lost = 0;
  #different = 0;
  readonly #unknown = new Map<string, number>();
  readonly problems: string[] = [];

  add(results: readonly JobResult[], kills: number): void {
    this.kills += kills;
    for (const result of results) {
      const { mode, point, billed, wasDelivered, status, isEqual } = result;
      this.#jobs += 1;
      if (billed > legsOf(mode)) this.#billedTwice += 1;
      if (wasDelivered && status !== 200) this.#lost += 1;
      if (!isEqual) this.#different += 1;
      if (status === 502) this.#unknown.set(point, 1 + (this.#unknown.get(point) ?? 0));
      this.problems.push(...problemsOf(result).map((problem) => `${mode}, ${point}: ${problem}`));
    }
  }

  get line(): string {
    const unknown = [...this.#unknown].map(([point, count]) => `${point} ${count}`).join(', ');
    return [
      `${this.kills} kills`,
      `${this.#jobs} jobs`,
      `billed twice ${this.#billedTwice}`,
      `delivered then lost ${this.#lost}`,
      `other bytes ${this.#different}`,
      `other problems ${this.problems.length}`,
      `unknown: ${unknown || 'none'}`,
    ].join('; ');
  }
}
