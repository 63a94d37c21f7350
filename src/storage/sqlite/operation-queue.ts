import { Worker } from 'node:worker_threads';
import { OperationFailure } from '../sql/operation-failure.ts';
import type { OperationRunner } from '../sql/operations.ts';
import {
  type BatchResult,
  JobDatabase,
  type JobDatabaseOptions,
  type Operation,
  type SqliteOperations,
} from './job-database.ts';

type Pending = {
  readonly operation: Operation;
  readonly done: (result: never) => void;
  readonly fail: (error: unknown) => void;
};

/** Where batches are run, one after the other. */
interface Runner {
  run(batch: readonly Operation[]): void;
  /** Resolves once what was given has been run. */
  close(): Promise<void>;
}

/** What a runner reports. */
type Reports = {
  /** The results of the next operations, in their order. */
  settle(result: BatchResult): void;
  /** It is of no use any more: what it has not reported fails. */
  broke(error: unknown): void;
};

/**
 * Collects operations into batches, and hands out what became of each. What comes while a batch is run forms the next one: that
 * shares an fsync, and one message in each direction.
 */
export class OperationQueue implements OperationRunner<SqliteOperations> {
  readonly keepsOrder = true;
  commits = 0;
  changes = 0;
  readonly #start: (reports: Reports, isRestart: boolean) => Runner;
  readonly #onLoss: () => void;
  #runner: Runner | undefined;
  #hasStarted = false;
  #isClosed = false;
  #waiting: Pending[] = [];
  #sent: Pending[] = [];

  /** @param onLoss called when the thread has died, and nobody knows which of its operations were committed */
  constructor(database: JobDatabaseOptions, onLoss: () => void) {
    this.#onLoss = onLoss;
    this.#start = (reports, isRestart) =>
      database.file === ':memory:'
        ? runHere(new JobDatabase(database), reports)
        : runInWorker({ ...database, mustExist: isRestart }, reports);
  }

  run: OperationRunner<SqliteOperations>['run'] = (name, ...values) => {
    if (this.#isClosed) return Promise.reject(new OperationFailure('failed', 'the job store is closed'));
    return new Promise((done, fail) => {
      if (this.#waiting.length === 0 && this.#sent.length === 0) queueMicrotask(() => this.#send());
      this.#waiting.push({ operation: [name, ...(values as unknown[])], done, fail });
    });
  };

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#send();
    await this.#runner?.close();
  }

  #send(): void {
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    this.#sent.push(...batch);
    try {
      this.#running().run(batch.map(({ operation }) => operation));
    } catch (error) {
      this.#fail(error);
    }
  }

  #running(): Runner {
    if (this.#runner === undefined) {
      const broke = (error: unknown) => this.#fail(error);
      const settle = (result: BatchResult) => this.#settle(result);
      this.#runner = this.#start({ settle, broke }, this.#hasStarted);
      this.#hasStarted = true;
    }
    return this.#runner;
  }

  /** Nobody knows what became of the operations that were sent. */
  #fail(error: unknown): void {
    this.#runner = undefined;
    this.#onLoss();
    for (const { fail } of this.#sent.splice(0)) fail(error);
    this.#send();
  }

  #settle([results, failures, commits, changes]: BatchResult): void {
    this.commits += commits;
    this.changes += changes;
    const settled = this.#sent.splice(0, Math.max(results.length, failures.length));
    for (const [index, code, message] of failures) settled[index]?.fail(new OperationFailure(code, message));
    // A promise that was rejected ignores the rest.
    for (const [index, { done }] of settled.entries()) done(results[index] as never);
    this.#send();
  }
}

function runHere(database: JobDatabase, { settle }: Reports): Runner {
  return {
    run: (batch) => settle(database.run(batch)),
    async close() {
      database.close();
    },
  };
}

/** In the bundle the worker is a bundle of its own, beside the one of the gateway. */
const workerFile = new URL(import.meta.url.endsWith('.ts') ? './job-worker.ts' : './job-worker.js', import.meta.url);

function runInWorker(database: JobDatabaseOptions, { settle, broke }: Reports): Runner {
  const worker = new Worker(workerFile, {
    workerData: database,
    // Options of the process, such as its heap limit, are not for this thread, whose objects live for one batch.
    execArgv: [],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 2 },
  });
  let unsettled = 0;
  worker.on('message', (result: BatchResult) => {
    unsettled -= Math.max(result[0].length, result[1].length);
    // Only as long as somebody waits, the process does, too.
    if (unsettled === 0) worker.unref();
    settle(result);
  });
  let failure: unknown;
  worker.on('error', (error) => {
    failure = error;
  });
  const exited = new Promise<void>((done) => {
    worker.once('exit', (code) => {
      const { message } = failure instanceof Error ? failure : new Error(`the thread has ended with code ${code}`);
      broke(new OperationFailure('failed', message));
      done();
    });
  });
  return {
    run(batch) {
      if (unsettled === 0) worker.ref();
      unsettled += batch.length;
      worker.postMessage(batch);
    },
    async close() {
      worker.ref();
      worker.postMessage('close');
      await exited;
    },
  };
}
