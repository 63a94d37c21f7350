import { randomBytes } from 'node:crypto';
import type { SharedLimits, WindowState } from '../../domain/shared-limits.ts';
import type { JobOwner } from './job-owner.ts';
import type { WindowUse } from './limit-rows.ts';
import { type OperationRunner, runOrFail } from './operations.ts';

const freeAgainMs = 1_000;

/** The limits of consumers in the database of the jobs, and by its clock. */
export class SqlSharedLimits implements SharedLimits {
  readonly #runner: OperationRunner;
  readonly #owner: JobOwner;

  constructor(runner: OperationRunner, owner: JobOwner) {
    this.#runner = runner;
    this.#owner = owner;
  }

  async take(window: string, points: number, limit: { readonly points: number; readonly windowMs: number }) {
    const now = this.#owner.now();
    const [isGranted, ...use] = await runOrFail(this.#runner, 'takeFromWindow', window, points, limit, now);
    return { isGranted, ...stateOf(use, now) };
  }

  async refund(window: string, points: number, endsAt: number): Promise<WindowState> {
    const now = this.#owner.now();
    return stateOf(await runOrFail(this.#runner, 'refundWindow', window, points, endsAt, now), now);
  }

  async read(window: string): Promise<WindowState> {
    const now = this.#owner.now();
    return stateOf(await runOrFail(this.#runner, 'readWindow', window, now), now);
  }

  async acquire(consumer: string, permits: number): Promise<(() => void) | undefined> {
    const id = randomBytes(18).toString('base64url');
    const taking = runOrFail(this.#runner, 'acquirePermit', id, consumer, this.#owner.id, permits);
    // It may have been taken although the response was lost.
    taking.catch(() => this.#free(id));
    const isTaken = await taking;
    return isTaken ? () => this.#free(id) : undefined;
  }

  /** Until the store is there again, and at the latest until this process ends, the permit counts. */
  #free(id: string): void {
    this.#runner.run('releasePermit', id).catch(() => setTimeout(() => this.#free(id), freeAgainMs).unref());
  }
}

function stateOf([used, endsAt]: WindowUse, now: number): WindowState {
  return { used, endsAt, resetMs: endsAt - now };
}
