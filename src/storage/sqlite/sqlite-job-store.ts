import { join } from 'node:path';
import { prepareDirectory } from '../data-directory.ts';
import { defaultLease, type LeaseTimes } from '../sql/job-owner.ts';
import { type JobLimits, SqlJobStore } from '../sql/sql-job-store.ts';
import { MachineOwner } from './machine-owner.ts';
import { OperationQueue } from './operation-queue.ts';

export type SqliteJobStoreOptions = JobLimits & {
  /** Created, for this user only, when it does not exist. Without it, jobs are kept in memory, and end with the process. */
  readonly directory?: string | undefined;
  /** Fingerprints of different versions are not compared. */
  readonly fingerprintVersion: number;
  /** The wall clock: Unix time in milliseconds. */
  readonly now?: () => number;
  /** Shortened in tests. */
  readonly lease?: LeaseTimes;
  /** Limited in tests, to have a full disk. */
  readonly maxPages?: number;
};

/**
 * Opens a store of jobs in SQLite: in a directory, which several processes of a machine may share, or in memory. Rejects with the
 * disk's error, or with a sentence for the operator, when it cannot be used.
 */
export async function createSqliteJobStore(options: SqliteJobStoreOptions): Promise<SqlJobStore> {
  const { directory, fingerprintVersion, now = Date.now, lease = defaultLease, maxPages } = options;
  if (directory !== undefined) await prepareDirectory(directory);
  const file = directory === undefined ? ':memory:' : join(directory, 'jobs.sqlite');
  const queue: OperationQueue = new OperationQueue({ file, maxPages }, () => store.expectLostJobs());
  const owner = new MachineOwner(queue, directory, lease, now());
  const store = new SqlJobStore(queue, owner, fingerprintVersion, options);
  try {
    await owner.start(now(), () => store.flush());
  } catch (error) {
    await queue.close();
    throw error;
  }
  return store;
}
