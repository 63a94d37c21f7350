import { onTestFinished } from 'vitest';
import type { JobAttempt, JobClaim, JobEnd, JobLease, JobStore } from '../../../src/domain/job-store.ts';
import type { OperationRunner } from '../../../src/storage/sql/operations.ts';
import type { SqlJobStore } from '../../../src/storage/sql/sql-job-store.ts';
import type { SqliteJobStoreOptions } from '../../../src/storage/sqlite/sqlite-job-store.ts';
import { createJobStore } from './create-job-store.ts';

export const hour = 60 * 60_000;

/** A process that does nothing by itself. */
export const still = { validMs: 8_000, renewEveryMs: 2 ** 31 - 1 };

/** A process that seems dead to others although it lives: it was stopped for too long. */
export const stopped = { ...still, validMs: -1 };

/** A store that is closed with the test; in memory unless a directory is given. */
export async function openJobStore(options: Partial<SqliteJobStoreOptions> = {}): Promise<SqlJobStore> {
  const defaults = { keepMs: 24 * hour, rejoinMs: 600_000, orphanMs: 60_000, fingerprintVersion: 1, lease: still };
  const store = await createJobStore({ ...defaults, ...options });
  onTestFinished(() => store.close());
  return store;
}

/** A runner that does what a test wants. */
export function runnerOf(run: OperationRunner['run']): OperationRunner {
  return { run, keepsOrder: true, commits: 0, changes: 0, close: async () => {} };
}

/** With a key, unless it is taken away. */
export function claimOf(changes: Partial<JobClaim> = {}): JobClaim {
  return {
    consumer: 'one',
    operation: 'generate',
    model: 'poster',
    count: 1,
    fingerprint: 'equal',
    key: 'key',
    rejoinMs: 600_000,
    mayRepeat: false,
    isRetrievable: changes.key !== undefined || !('key' in changes),
    ...changes,
  };
}

/** Of a request without a key. */
export function keyless(changes: Partial<JobClaim> = {}): JobClaim {
  return claimOf({ key: undefined, ...changes });
}

export const attempt: JobAttempt = { leg: 0, target: 't', state: 'dispatched', images: ['image-1'], asked: {} };

const report = {
  model: 'poster',
  target: 't',
  provider: 'p',
  asked: {},
  adaptations: [],
  attempts: 1,
  sent: true,
  maxRetries: 1,
  timeoutMs: 1_000,
};

export const done: JobEnd = { name: 'done', response: { report, delivery: 'b64_json', events: [] } };

export function failure(
  name: Exclude<JobEnd['name'], 'done'>,
  sent = name !== 'cancelled' && name !== 'not_processed',
): JobEnd {
  return { name, failure: { report: { ...report, sent }, kind: 'upstream_outcome_unknown', message: 'It failed.' } };
}

/** Claims a job that must be a new one. */
export async function begin(store: JobStore, claim = claimOf()): Promise<JobLease> {
  const claimed = await store.claim(claim);
  if (claimed.kind !== 'new') throw new Error(`the claim has found a job: ${claimed.kind}`);
  return claimed.lease;
}

/** Claims a new job, and makes a paid call for it. */
export async function send(store: JobStore, claim = claimOf()): Promise<JobLease> {
  const lease = await begin(store, claim);
  await store.dispatch(lease, [attempt], false);
  return lease;
}

/** A job without a key whose client has left. */
export async function leave(store: JobStore, claim = keyless()): Promise<JobLease> {
  const lease = await send(store, claim);
  await store.orphan(lease);
  return lease;
}

export const unavailable = { kind: 'store_unavailable', outcome: 'not-processed' };
