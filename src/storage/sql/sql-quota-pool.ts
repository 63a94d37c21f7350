import { randomBytes } from 'node:crypto';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { QuotaFacts, QuotaGrant, QuotaNeed, QuotaPool, QuotaTurn } from '../../domain/quota-pools.ts';
import { runOrFail } from './operations.ts';
import { PoolTurn } from './pool-turn.ts';
import type { PoolRule, TakenTurns } from './quota-rows.ts';
import type { QuotaStore, QuotaTimes } from './sql-quota-pools.ts';

type Parts = {
  readonly store: QuotaStore;
  readonly times: QuotaTimes;
  /** What the pool allows now. */
  readonly rule: () => PoolRule;
};

/** One call of this process that waits. */
type Waiter = QuotaNeed & {
  readonly id: string;
  readonly queuedAt: number;
  readonly turn: PoolTurn;
};

/** A pool as this process uses it: looks for all calls of the process at once, and only while one waits. */
export class SqlQuotaPool implements QuotaPool {
  readonly name: string;
  readonly #parts: Parts;
  readonly #waiters = new Map<string, Waiter>();
  /** Of ids: what other processes use must differ. */
  readonly #prefix = randomBytes(9).toString('base64url');
  #count = 0;
  #lastQueuedAt = 0;
  /** When the first of those that wait here is expected to be sent. */
  #nextStart = 0;
  /** Since when it could not be looked, as of `performance.now()`. */
  #awaySince: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isWanted = false;

  constructor(name: string, parts: Parts) {
    this.name = name;
    this.#parts = parts;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  async ask(need: QuotaNeed, signal: AbortSignal): Promise<QuotaTurn> {
    signal.throwIfAborted();
    const turn = new PoolTurn(this.#parts.store.owner);
    // Strictly later than who came before.
    this.#lastQueuedAt = Math.max(this.#parts.store.owner.now(), this.#lastQueuedAt + 1);
    const waiter = { ...need, id: this.#newId(), queuedAt: this.#lastQueuedAt, turn };
    turn.leave = () => this.#leave(waiter.id, turn);
    this.#waiters.set(waiter.id, waiter);
    this.look();
    try {
      await turn.next(signal);
    } catch (error) {
      turn.leave();
      throw error;
    }
    return turn;
  }

  async correct({ limit, remaining, resetMs }: QuotaFacts, grant: QuotaGrant | undefined): Promise<void> {
    if (remaining === undefined) return;
    const { store, times, rule } = this.#parts;
    const now = store.owner.now();
    const resetAt = resetMs === undefined ? null : now + Math.min(resetMs, times.maxBlockMs);
    const usedWhenSent = grant?.usedWhenSent ?? 0;
    const report = { id: this.#newId(), limit: limit ?? null, remaining, resetAt, usedWhenSent };
    // The next 429 corrects it, at the latest.
    await store.runner.run('correctQuota', rule(), report, now).catch(() => {});
  }

  async refused(retryAfterMs: number | undefined, { limit }: QuotaFacts): Promise<boolean> {
    const { store, times, rule } = this.#parts;
    const now = store.owner.now();
    // Azure looks again after 10 seconds at most.
    const { windowMs, maxBlockMs } = times;
    const until = Math.ceil(now + Math.min(retryAfterMs ?? windowMs / 6, maxBlockMs));
    try {
      await store.runner.run('refuseQuota', rule(), { until, limit: limit ?? null }, now);
      return true;
    } catch {
      return false;
    }
  }

  /** Looks whose turn it is, as soon as possible. */
  look(): void {
    this.#isWanted = true;
    // Who comes in the same tick is looked at together.
    this.#looking ??= Promise.resolve().then(() => this.#lookUntilDone());
  }

  async #lookUntilDone(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#isWanted && this.#waiters.size > 0) {
      this.#isWanted = false;
      await this.#lookOnce([...this.#waiters.values()]);
    }
    this.#isWanted = false;
    this.#looking = undefined;
    if (this.#waiters.size === 0) {
      // Nobody knows of a store that nobody asks.
      this.#awaySince = undefined;
      return;
    }
    const { store, times } = this.#parts;
    const waitMs = Math.max(1, Math.min(times.pollMs, this.#nextStart - store.owner.now()));
    this.#timer = setTimeout(() => this.look(), waitMs);
  }

  async #lookOnce(waiters: readonly Waiter[]): Promise<void> {
    const { store, rule } = this.#parts;
    const waits = waiters.map(({ id, consumer, images, queuedAt }) => ({ id, consumer, images, queuedAt }));
    try {
      this.#handOut(await runOrFail(store.runner, 'takeQuota', rule(), store.owner.id, waits, store.owner.now()));
      this.#awaySince = undefined;
    } catch (error) {
      this.#missed(waiters, error);
    }
  }

  /** Most outages are short, and patient calls outlive them; a grant whose answer was lost is given again. */
  #missed(waiters: readonly Waiter[], error: unknown): void {
    const now = performance.now();
    this.#awaySince ??= now;
    this.#nextStart = Number.POSITIVE_INFINITY;
    const isLong = now - this.#awaySince >= this.#parts.times.maxAwayMs;
    for (const { id, turn } of waiters) {
      if (isLong) this.#waiters.delete(id);
      if (isLong) turn.failed(error);
      else turn.away(error);
    }
  }

  #handOut({ granted, starts }: TakenTurns): void {
    this.#nextStart = Math.min(...starts.map(([, at]) => at));
    for (const id of granted) {
      const waiter = this.#waiters.get(id);
      this.#waiters.delete(id);
      const grant = this.#grant(id);
      if (waiter) waiter.turn.looked(grant);
      else grant.release();
    }
    for (const [id, at] of starts) this.#waiters.get(id)?.turn.looked(at);
  }

  #grant(id: string): QuotaGrant {
    const { store, rule } = this.#parts;
    let usedWhenSent = 0;
    return {
      pool: this,
      get usedWhenSent() {
        return usedWhenSent;
      },
      async stamp() {
        const used = await runOrFail(store.runner, 'stampQuota', rule(), id, store.owner.now());
        if (used === undefined) throw lateGrant();
        usedWhenSent = used;
      },
      release: () => this.#remove(id),
    };
  }

  #leave(id: string, turn: QuotaTurn): void {
    if (this.#waiters.delete(id)) this.#remove(id);
    else turn.grant?.release();
  }

  /** What is lost here ages, or is removed when this process looks again. */
  #remove(id: string): void {
    const { store } = this.#parts;
    const remove = () => store.runner.run('leaveQuota', [id]);
    (this.#looking ?? Promise.resolve()).then(remove).then(
      () => this.#waiters.size > 0 && this.look(),
      () => {},
    );
  }

  #newId(): string {
    this.#count += 1;
    return `${this.#prefix}-${this.#count}`;
  }
}

/** The process was stopped for a minute between the grant and its call. */
function lateGrant(): GatewayError {
  const message = 'The turn of this request in its quota has passed before it could be sent.';
  return new GatewayError('upstream_rate_limited', message, { outcome: 'not-processed', retryAfterMs: 0 });
}
