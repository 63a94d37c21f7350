import { GatewayError } from '../domain/gateway-error.ts';
import type { QuotaGrant, QuotaPool, QuotaTurn } from '../domain/quota-pools.ts';
import type { Plan } from '../parameters/plan.ts';
import type { KnownQuota } from '../targets/choose-target.ts';
import type { Target } from '../targets/model-catalog.ts';
import type { CallKind, TargetCall } from '../targets/target-health.ts';

type Parts = {
  readonly consumer: string;
  readonly signal: AbortSignal;
  /** How long it may wait now, in milliseconds. */
  readonly patienceMs: () => number;
  /** It is its turn already. */
  readonly granted?: QuotaGrant | undefined;
};

/** The turns of one leg of a request in the pools of its targets: it waits only where no target is free. */
export class QuotaTurns {
  readonly #parts: Parts;
  /** In pools where it would have to wait. */
  readonly #turns = new Map<QuotaPool, QuotaTurn>();
  readonly #hopeless = new Set<QuotaPool>();
  #grant: QuotaGrant | undefined;
  #waitMs = Number.POSITIVE_INFINITY;
  /** How long it has waited for its turn, in milliseconds. */
  waitedMs = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#grant = parts.granted;
  }

  /** For the choice of a target. */
  get known(): KnownQuota {
    return { granted: this.#grant?.pool, full: new Set(this.#turns.keys()) };
  }

  /** Whether the target may be called now. */
  allows({ quota }: Target): boolean {
    return quota === undefined || quota === this.#grant?.pool;
  }

  /** Whether waiting for the target's quota would take too long. */
  isHopeless({ quota }: Target): boolean {
    return quota !== undefined && this.#hopeless.has(quota);
  }

  /**
   * The target that was chosen needs a turn: asks its pool, or waits where it would have to wait anyhow, in the pool where that
   * is shortest. Afterwards the choice may be another one. Rejects when the store is not available, and with the signal's reason.
   */
  async advance(pool: QuotaPool, images: number): Promise<void> {
    const begin = performance.now();
    this.#release();
    try {
      if (this.#turns.has(pool)) await this.#waitForShortest();
      else await this.#ask(pool, images);
    } finally {
      this.waitedMs += performance.now() - begin;
    }
  }

  /**
   * The permit of a target, and the turn in its pool. Begins in this tick where it is the request's turn; a call that has to wait
   * for its permit gets its turn after that, because a turn that is not used keeps others waiting. Rejects as the permit and
   * `advance` do, and when the wait would be too long; nothing is held then.
   */
  async acquire(
    target: Target,
    kind: CallKind,
    { images, last }: { readonly images: number; readonly last: GatewayError | undefined },
  ): Promise<{ permit: TargetCall; turn: { grant: QuotaGrant | undefined; waitedMs: number } }> {
    const { quota, health } = target;
    if (health.permits.isFull) this.leave();
    let grant = this.#take(quota);
    let permit: TargetCall | undefined;
    try {
      permit = await health.acquire(this.#parts.signal, kind);
      if (quota) grant ??= await this.#grantFor(quota, images, last);
      return { permit, turn: { grant, waitedMs: this.waitedMs } };
    } catch (error) {
      permit?.[Symbol.dispose]();
      grant?.release();
      throw error;
    }
  }

  /** Gives up everything: the next call begins anew. */
  leave(): void {
    this.#release();
    for (const turn of this.#turns.values()) turn.leave();
    this.#turns.clear();
    this.#hopeless.clear();
    this.#waitMs = Number.POSITIVE_INFINITY;
  }

  /** @param last what the request has failed with before */
  tooLong(last: GatewayError | undefined): GatewayError {
    const retryAfterMs = Math.max(Math.ceil(this.#waitMs), last?.retryAfterMs ?? 0);
    return (last ?? usedUp()).with({ retryAfterMs });
  }

  async #grantFor(pool: QuotaPool, images: number, last: GatewayError | undefined): Promise<QuotaGrant> {
    while (this.#grant?.pool !== pool) {
      await this.advance(pool, images);
      if (this.#hopeless.has(pool)) throw this.tooLong(last);
    }
    return this.#take(pool) as QuotaGrant;
  }

  /** The grant of this pool, if it was given; whatever else there is is given up. */
  #take(pool: QuotaPool | undefined): QuotaGrant | undefined {
    const grant = pool && this.#grant?.pool === pool ? this.#grant : undefined;
    if (grant) this.#grant = undefined;
    this.leave();
    return grant;
  }

  async #ask(pool: QuotaPool, images: number): Promise<void> {
    const { consumer, signal } = this.#parts;
    const turn = await pool.ask({ consumer, images }, signal);
    this.#grant = turn.grant;
    if (turn.grant === undefined) this.#turns.set(pool, turn);
  }

  async #waitForShortest(): Promise<void> {
    const { signal, patienceMs } = this.#parts;
    const [shortest, ...others] = [...this.#turns].sort(([, one], [, other]) => one.waitMs - other.waitMs);
    const [pool, turn] = shortest as [QuotaPool, QuotaTurn];
    this.#grant = await turn.wait(signal, patienceMs());
    if (this.#grant === undefined) {
      // In the other pools it would take even longer.
      this.#waitMs = turn.waitMs;
      for (const [pool, turn] of [...this.#turns]) {
        this.#hopeless.add(pool);
        turn.leave();
      }
    }
    this.#turns.delete(pool);
    for (const [pool, turn] of others) {
      turn.leave();
      this.#turns.delete(pool);
    }
  }

  #release(): void {
    this.#grant?.release();
    this.#grant = undefined;
  }
}

/**
 * Waits, for as long as it takes, until a first call may be sent to one of the targets. `undefined`: one of them needs no turn. Rejects with the
 * signal's reason, and when the store is not available.
 */
export async function firstGrant(
  { candidates }: Plan<Target>,
  consumer: string,
  signal: AbortSignal,
): Promise<QuotaGrant | undefined> {
  const need = { consumer, images: candidates[0]?.adapted.legs[0].count ?? 1 };
  const ready = candidates.filter(({ target }) => !target.health.permits.isFull);
  const pools = new Set(ready.map(({ target }) => target.quota));
  if (pools.size === 0 || pools.has(undefined)) return undefined;
  const turns: QuotaTurn[] = [];
  let grant: QuotaGrant | undefined;
  try {
    for (const pool of pools as ReadonlySet<QuotaPool>) {
      const turn = await pool.ask(need, signal);
      turns.push(turn);
      if (turn.grant !== undefined) break;
    }
    const shortest = turns.reduce((one, other) => (other.waitMs < one.waitMs ? other : one));
    grant = await shortest.wait(signal, Number.POSITIVE_INFINITY);
    return grant;
  } finally {
    for (const turn of turns) if (grant === undefined || turn.grant !== grant) turn.leave();
  }
}

function usedUp(): GatewayError {
  const message = 'The quota of the image service is used up, and this request has no time to wait for its turn.';
  return new GatewayError('upstream_rate_limited', `${message} Nothing was sent to the image service.`, {
    outcome: 'not-processed',
  });
}
