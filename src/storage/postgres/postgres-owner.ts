import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { JobOwner, LeaseTimes } from '../sql/job-owner.ts';
import type { OperationRunner } from '../sql/operations.ts';
import { DatabaseClock } from './database-clock.ts';
import type { PostgresOperations } from './postgres-runner.ts';

const lookEveryMs = 200;
const renewAgainMs = 250;

/** So often at most with each renewal: who waits for the database comes in between. */
const maxDeletions = 10;

/** This process among those that share a database. */
export class PostgresOwner implements JobOwner {
  id = '';
  readonly #runner: OperationRunner<PostgresOperations>;
  /** Of its own connection, because a renewal that waits for others would come too late. */
  readonly #renewals: OperationRunner<PostgresOperations>;
  readonly #lease: LeaseTimes;
  readonly #clock = new DatabaseClock();
  #registering: Promise<void> | undefined;
  #renewing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #hasLeft = false;
  /** The last renewal, and since when none has come too late, as of `performance.now()`. */
  #renewedAt = 0;
  #steadySince = 0;

  constructor(
    runner: OperationRunner<PostgresOperations>,
    renewals: OperationRunner<PostgresOperations>,
    lease: LeaseTimes,
  ) {
    this.#runner = runner;
    this.#renewals = renewals;
    this.#lease = lease;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Begins to live. `onRenewal` is called with each renewal. */
  async start(onRenewal: () => void): Promise<void> {
    await this.#register();
    this.#timer = setInterval(() => {
      onRenewal();
      this.#renewUntilDone();
      this.#deleteExpired().catch(() => {});
    }, this.#lease.renewEveryMs).unref();
  }

  /** A database that is away for a moment, again and again, must not miss all renewals by chance: a failed one is repeated soon. */
  #renewUntilDone(): void {
    if (this.#retry !== undefined) return;
    this.renew().catch(() => {
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        if (!this.#hasLeft) this.#renewUntilDone();
      }, renewAgainMs).unref();
    });
  }

  /** Not twice at once: those that wait for a database that is slow would be of no use. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    const { id } = this;
    const time = await this.#renewals.run('renew', id, this.#lease.validMs);
    if (time !== undefined) this.#renewed(time);
    else if (id === this.id) await this.registerAgain(id);
  }

  /** More may expire between two renewals than are deleted at once. */
  async #deleteExpired(): Promise<void> {
    for (let left = maxDeletions; left > 0 && (await this.#runner.run('deleteExpired', this.now())); left -= 1);
  }

  async registerAgain(id: string): Promise<void> {
    if (id !== this.id || this.#hasLeft) return;
    this.#registering ??= this.#register().finally(() => {
      this.#registering = undefined;
    });
    await this.#registering;
  }

  /**
   * After an interruption of the database all leases have run out, and the first process that reaches it again would take the
   * jobs of all others, which live. So one removes others only when it has itself been there for as long as a lease is valid.
   */
  async buryDead(): Promise<void> {
    const { validMs, graceMs = validMs } = this.#lease;
    if (performance.now() - this.#renewedAt > validMs) await this.renew();
    const isSteady = performance.now() - this.#steadySince >= graceMs;
    await this.#runner.run('bury', this.id, isSteady, this.now());
  }

  async isLiving(id: string): Promise<boolean> {
    for (let first: number | undefined; ; ) {
      await this.buryDead();
      const lease = await this.#runner.run('leaseOf', id);
      if (lease === undefined) return false;
      if (first !== undefined && lease > first) return true;
      first ??= lease;
      await wait(lookEveryMs, undefined, { ref: false });
    }
  }

  isSole(): Promise<boolean> {
    return this.#runner.run('isSole', this.id);
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    await this.#registering?.catch(() => {});
    await this.#runner.run('leave', this.id).catch(() => {});
    await this.#renewals.close();
  }

  async #register(): Promise<void> {
    const id = randomBytes(18).toString('base64url');
    const time = await this.#renewals.run('register', id, this.#lease.validMs);
    this.id = id;
    this.#renewed(time);
  }

  #renewed(time: number): void {
    this.#clock.note(time);
    const now = performance.now();
    if (now - this.#renewedAt > this.#lease.validMs) this.#steadySince = now;
    this.#renewedAt = now;
  }
}
