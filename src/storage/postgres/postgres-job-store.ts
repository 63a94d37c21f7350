import type { Pool, PoolConfig } from 'pg';
import type { PostgresSettings } from '../../domain/postgres-settings.ts';
import { loadOptional } from '../load-optional.ts';
import { defaultLease, type LeaseTimes } from '../sql/job-owner.ts';
import { type JobLimits, SqlJobStore } from '../sql/sql-job-store.ts';
import { postgresFailure } from './postgres-failure.ts';
import { PostgresOwner } from './postgres-owner.ts';
import { PostgresRunner } from './postgres-runner.ts';
import { migratePostgres } from './postgres-schema.ts';

export type PostgresJobStoreOptions = JobLimits & {
  readonly database: PostgresSettings;
  /** A token of Microsoft Entra ID for the database, where that is the password. */
  readonly token?: (() => Promise<string>) | undefined;
  /** Fingerprints of different versions are not compared. */
  readonly fingerprintVersion: number;
  /** Shortened in tests. */
  readonly lease?: LeaseTimes;
  readonly times?: PostgresTimes;
};

/** In milliseconds. */
export type PostgresTimes = {
  /** The longest wait for a connection: for a free one, or a new one. */
  readonly connectMs: number;
  /** The longest that one statement may take. */
  readonly statementMs: number;
};

const defaultTimes: PostgresTimes = { connectMs: 5_000, statementMs: 5_000 };

/** The server ends a statement by itself; without a word from it, the connection is given up a little later. */
const silenceMs = 2_000;

const maxConnections = 8;

/** How types of PostgreSQL are read: `bigint`, as sums are, fits into a number here. */
const bigint = 20;

/**
 * Opens a store of jobs in PostgreSQL, which several gateways may share. Rejects with a sentence for the operator, without the
 * password, when it cannot be used.
 */
export async function createPostgresJobStore(options: PostgresJobStoreOptions): Promise<SqlJobStore> {
  const { database, fingerprintVersion, lease = defaultLease } = options;
  const pool = await createPool(options, maxConnections);
  const leasePool = await createPool(options, 1);
  try {
    await prepare(pool, database.schema);
    const runner = new PostgresRunner(pool, () => store.expectLostJobs());
    const renewals = new PostgresRunner(leasePool, () => {});
    const owner = new PostgresOwner(runner, renewals, lease);
    const store = new SqlJobStore(runner, owner, fingerprintVersion, options);
    await owner.start(() => store.flush());
    return store;
  } catch (error) {
    await Promise.all([pool.end(), leasePool.end()]);
    throw describeFailure(error, database);
  }
}

async function createPool(
  { database, token, times = defaultTimes }: PostgresJobStoreOptions,
  connections: number,
): Promise<Pool> {
  const { Pool: PostgresPool, types } = await loadOptional('JOBS_URL', 'pg', import('pg'));
  const { host, port, user, password, isEncrypted, schema } = database;
  const config: PoolConfig = {
    host,
    port,
    user,
    database: database.database,
    password: password === 'entra' ? token : password?.expose(),
    ssl: isEncrypted,
    application_name: 'azure-image-gateway',
    max: connections,
    keepAlive: true,
    connectionTimeoutMillis: times.connectMs,
    statement_timeout: times.statementMs,
    query_timeout: times.statementMs + silenceMs,
    // A process that is stopped must not keep rows locked.
    idle_in_transaction_session_timeout: times.statementMs,
    allowExitOnIdle: true,
    ...(schema !== undefined && { options: `-c search_path=${schema}` }),
    types: { getTypeParser: (id, format) => (id === bigint ? Number : types.getTypeParser(id, format)) },
  };
  const pool = new PostgresPool(config);
  // A connection may break at any time. Whoever uses it is told by the statement that fails; one that is idle is replaced.
  pool.on('connect', (client) => void client.on('error', () => {}));
  pool.on('error', () => {});
  return pool;
}

async function prepare(pool: Pool, schema: string | undefined): Promise<void> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ readonly synchronous_commit: string }>('show synchronous_commit');
    if (rows[0]?.synchronous_commit === 'off') throw new Error(notSynchronous);
    await migratePostgres(client, schema);
  } finally {
    client.release();
  }
}

const notSynchronous =
  'the database of JOBS_URL has synchronous_commit = off: after a crash it may have forgotten what was paid for; set it to on';

/** For the operator. */
function describeFailure(error: unknown, { host, port }: PostgresSettings): Error {
  if (error instanceof Error && error.message.includes('JOBS_URL')) return error;
  return new Error(`JOBS_URL cannot be used (${host}:${port}): ${postgresFailure(error).message}`, { cause: error });
}
