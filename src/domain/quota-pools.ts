/**
 * How much a quota pool allows in a minute. Since 2026-05 all deployments of one model and version under Azure's Global Standard
 * draw on one quota of their subscription, in whatever region they are:
 * https://learn.microsoft.com/azure/ai-foundry/openai/quotas-limits
 */
export type QuotaLimits = {
  /** Without it, the pool learns from 429s. */
  readonly requests?: number;
  readonly images?: number;
};

/** What a response says about the quota that its request was counted against (`x-ratelimit-*`). */
export type QuotaFacts = {
  /** Requests that the quota allows. */
  readonly limit?: number;
  /** Requests that it allows now. */
  readonly remaining?: number;
  /** When it allows requests again, in milliseconds from now. */
  readonly resetMs?: number;
};

/** What one paid call takes from a pool. */
export type QuotaNeed = {
  /** Pools are fair between consumers. */
  readonly consumer: string;
  /** How many images it asks for. */
  readonly images: number;
};

/** The permission to send one paid call. It counts against the pool from when it was given. */
export interface QuotaGrant {
  readonly pool: QuotaPool;
  /** How many requests of the last minute were known when its call was sent, itself among them. */
  readonly usedWhenSent: number;
  /**
   * Awaited immediately before the call is sent: from now on the grant ages. Rejects with a GatewayError with outcome
   * `not-processed` when that cannot be recorded; nothing may be sent then.
   */
  stamp(): Promise<void>;
  /** Nothing was sent: others may have it. Never rejects. */
  release(): void;
}

/** A place in the queue of a pool. */
export interface QuotaTurn {
  /** Set once it is this call's turn. Whoever takes it must use it or release it. */
  readonly grant: QuotaGrant | undefined;
  /** How long it will take, as things are, in milliseconds. */
  readonly waitMs: number;
  /**
   * Resolves with the grant, or with `undefined` as soon as it is clear that it would take longer than `patienceMs`. Rejects with
   * the signal's reason, or with a GatewayError when the store stays away for too long; then the place is given up.
   */
  wait(signal: AbortSignal, patienceMs: number): Promise<QuotaGrant | undefined>;
  /** Gives up the place, or a grant that was not taken. Never rejects. */
  leave(): void;
}

/** A quota that several targets, and several processes, share. */
export interface QuotaPool {
  readonly name: string;
  /** How many calls of this process wait for their turn. */
  readonly waiting: number;
  /** Queues a call; it may be its turn at once. Rejects as {@link QuotaTurn.wait} does. */
  ask(need: QuotaNeed, signal: AbortSignal): Promise<QuotaTurn>;
  /** The response of a call told how much is left: others may use the same quota. Never rejects. */
  correct(facts: QuotaFacts, grant: QuotaGrant | undefined): Promise<void>;
  /**
   * A call was refused with 429: nobody gets a grant for as long as the response asked for. Returns whether that is recorded.
   * @param retryAfterMs `undefined`: the response did not say
   */
  refused(retryAfterMs: number | undefined, facts: QuotaFacts): Promise<boolean>;
}

/** For metrics. */
export type QuotaFigures = {
  readonly pool: string;
  /** Grants of the last minute as a share of what the pool allows; `undefined`: nobody knows what it allows. */
  readonly used: number | undefined;
};

/** All quota pools. They live as long as the process, and their limits may change meanwhile. */
export interface QuotaPools {
  /** The pool of this name, which is made when it is first asked for. */
  pool(name: string): QuotaPool;
  /** Sets what pools allow, at once. */
  configure(limits: ReadonlyMap<string, QuotaLimits>): void;
  figures(): Promise<readonly QuotaFigures[]>;
}
