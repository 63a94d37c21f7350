import { randomBytes } from 'node:crypto';
import type { JobOwner, LeaseTimes } from '../sql/job-owner.ts';
import type { OperationRunner } from '../sql/operations.ts';
import { DatabaseClock } from './database-clock.ts';
import type { PostgresOperations } from './postgres-runner.ts';

/** So often with each renewal: who waits for the database comes in between. */
const maxDeletions = 10;

/** This process among those that share a database. */
export class PostgresOwner implements JobOwner {
  id = '';
  readonly #runner: OperationRunner<PostgresOperations>;
  readonly #lease: LeaseTimes;
  readonly #clock = new DatabaseClock();
  #registering: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasLeft = false;
  /** The last renewal, and since when none has come too late, as of `performance.now()`. */
  #renewedAt = 0;
  #steadySince = 0;

  constructor(runner: OperationRunner<PostgresOperations>, lease: LeaseTimes) {
    this.#runner = runner;
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
      // When the store is out of order, whoever uses it is told; the next renewal may succeed.
      this.renew().catch(() => {});
    }, this.#lease.renewEveryMs).unref();
  }

  async renew(): Promise<void> {
    const { id } = this;
    const time = await this.#runner.run('renew', id, this.#lease.validMs);
    if (time !== undefined) this.#renewed(time);
    else if (id === this.id) await this.registerAgain(id);
    // More may expire between two renewals than are deleted at once.
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
    if (performance.now() - this.#steadySince < graceMs) return;
    await this.#runner.run('bury', this.id, this.now());
  }

  isSole(): Promise<boolean> {
    return this.#runner.run('isSole', this.id);
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    clearInterval(this.#timer);
    await this.#registering?.catch(() => {});
    await this.#runner.run('leave', this.id).catch(() => {});
  }

  async #register(): Promise<void> {
    const id = randomBytes(18).toString('base64url');
    const time = await this.#runner.run('register', id, this.#lease.validMs);
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
