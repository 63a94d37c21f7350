import type { SharedCoolDown, SharedCoolDowns } from '../../domain/shared-cool-downs.ts';
import type { JobOwner } from './job-owner.ts';
import { type OperationRunner, runOrFail } from './operations.ts';

/** Cool-downs in the database of the jobs, which several processes share. */
export class SqlCoolDowns implements SharedCoolDowns {
  readonly #runner: OperationRunner;
  readonly #owner: JobOwner;

  constructor(runner: OperationRunner, owner: JobOwner) {
    this.#runner = runner;
    this.#owner = owner;
  }

  now(): number {
    return this.#owner.now();
  }

  async tell(told: SharedCoolDown): Promise<void> {
    // Others learn it by themselves then.
    await this.#runner.run('beginCoolDown', this.#owner.id, told, this.now()).catch(() => {});
  }

  read(): Promise<readonly SharedCoolDown[]> {
    return runOrFail(this.#runner, 'readCoolDowns', this.#owner.id, this.now());
  }
}
