import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { QuotaGrant, QuotaPool, QuotaTurn } from '../../src/domain/quota-pools.ts';

/** A pool that a test plays: it gives turns while it has some, and tells what was done with them. */
export class FakeQuota implements QuotaPool {
  readonly name: string;
  readonly events: string[] = [];
  turns: number;
  waitMs: number;
  /** The store is not available. */
  fails: 'ask' | 'stamp' | undefined;
  readonly #waiting = new Set<(grant: QuotaGrant) => void>();

  constructor(name: string, turns: number, waitMs = 1_000) {
    this.name = name;
    this.turns = turns;
    this.waitMs = waitMs;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** It is the turn of whoever waits longest. */
  grantNext(): void {
    const [next] = this.#waiting;
    if (next === undefined) throw new Error('nobody waits');
    this.#waiting.delete(next);
    next(this.#grant());
  }

  async ask({ consumer, images }: { consumer: string; images: number }): Promise<QuotaTurn> {
    if (this.fails === 'ask') throw unavailable();
    this.events.push(`ask ${consumer} ${images}`);
    if (this.turns === 0) return this.#turn(undefined);
    this.turns -= 1;
    return this.#turn(this.#grant());
  }

  async correct({ remaining }: { remaining?: number }): Promise<void> {
    this.events.push(`left ${remaining}`);
  }

  async refused(retryAfterMs: number | undefined): Promise<boolean> {
    this.events.push(`refused ${retryAfterMs}`);
    return true;
  }

  #grant(): QuotaGrant {
    return {
      pool: this,
      usedWhenSent: 1,
      stamp: async () => {
        if (this.fails === 'stamp') throw unavailable();
        this.events.push('sent');
      },
      release: () => void this.events.push('given back'),
    };
  }

  #turn(grant: QuotaGrant | undefined): QuotaTurn {
    const { promise, resolve, reject } = Promise.withResolvers<QuotaGrant>();
    const leave = () => {
      if (this.#waiting.delete(resolve)) this.events.push('left the queue');
    };
    if (grant === undefined) this.#waiting.add(resolve);
    return {
      grant,
      waitMs: grant ? 0 : this.waitMs,
      wait: async (signal, patienceMs) => {
        if (grant === undefined && this.waitMs > patienceMs) {
          leave();
          return undefined;
        }
        signal.addEventListener('abort', () => {
          leave();
          reject(signal.reason);
        });
        return grant ?? promise;
      },
      leave: () => (grant ? grant.release() : leave()),
    };
  }
}

function unavailable(): GatewayError {
  return new GatewayError('store_unavailable', 'The store is away.', { outcome: 'not-processed' });
}
