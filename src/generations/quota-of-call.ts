import { GatewayError } from '../domain/gateway-error.ts';
import type { Attempt } from '../domain/image-provider.ts';
import type { QuotaGrant, QuotaPool } from '../domain/quota-pools.ts';

/** One paid call and the quota of its target: when it is sent, and what its response says about the quota. */
export class QuotaOfCall {
  /** How long it has waited for its turn, in milliseconds. */
  readonly waitedMs: number;
  readonly #pool: QuotaPool | undefined;
  readonly #grant: QuotaGrant | undefined;

  constructor(
    pool: QuotaPool | undefined,
    { grant, waitedMs }: { readonly grant?: QuotaGrant | undefined; readonly waitedMs: number } = { waitedMs: 0 },
  ) {
    this.#pool = pool;
    this.#grant = grant;
    this.waitedMs = waitedMs;
  }

  /** Awaited immediately before it is sent. Rejects when that cannot be recorded. */
  async dispatched(): Promise<void> {
    await this.#grant?.stamp();
  }

  succeeded(attempt: Attempt): void {
    this.#correct(attempt);
  }

  /** Resolves when the next call may be chosen: to whether its pool waits for as long as its response wanted. */
  async failed(error: unknown, attempt: Attempt): Promise<boolean> {
    if (!attempt.sent) {
      this.#grant?.release();
      return false;
    }
    const { quota = {} } = attempt;
    if (this.#pool && error instanceof GatewayError && error.kind === 'upstream_rate_limited') {
      return await this.#pool.refused(error.retryAfterMs, quota);
    }
    this.#correct(attempt);
    return false;
  }

  #correct({ quota }: Attempt): void {
    if (quota) void this.#pool?.correct(quota, this.#grant);
  }
}
