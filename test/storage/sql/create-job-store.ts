import { createHash, randomUUID } from 'node:crypto';
import { createPostgresJobStore } from '../../../src/storage/postgres/postgres-job-store.ts';
import type { SqlJobStore } from '../../../src/storage/sql/sql-job-store.ts';
import { createSqliteJobStore, type SqliteJobStoreOptions } from '../../../src/storage/sqlite/sqlite-job-store.ts';

/** Set by `npm run test:scale`: the server on which these tests are run once more. */
export function postgresUrl(): string | undefined {
  return process.env.TEST_POSTGRES_URL;
}

/** Opens a store in SQLite, or in PostgreSQL, where a schema takes the place of the directory. */
export async function createJobStore(options: SqliteJobStoreOptions): Promise<SqlJobStore> {
  const server = postgresUrl();
  if (server === undefined) return await createSqliteJobStore(options);
  const { hostname, port, username, pathname } = new URL(server);
  const database = {
    ...{ host: hostname, port: Number(port), user: username, database: pathname.slice(1), password: undefined },
    ...{ isEncrypted: false, schema: schemaFor(options.directory ?? randomUUID()) },
  };
  const lease = options.lease && { graceMs: 0, ...options.lease };
  return await createPostgresJobStore({ ...options, database, ...(lease && { lease }) });
}

/** The same for all processes that share a directory. */
export function schemaFor(directory: string): string {
  return `test_${createHash('sha256').update(directory).digest('hex').slice(0, 24)}`;
}

/**
 * The variables of a gateway that shares its stores with all those that have the same directory.
 * @param jobsUrl of another server than the one that all tests share
 */
export function sharedStores(directory: string, jobsUrl?: string): Readonly<Record<string, string>> {
  const { TEST_IMAGES_URL = '', TEST_IMAGES_KEY = '' } = process.env;
  const JOBS_URL = jobsUrl ?? `${postgresUrl()}?schema=${schemaFor(directory)}`;
  return { JOBS_URL, IMAGES_URL: TEST_IMAGES_URL, AZURE_STORAGE_KEY: TEST_IMAGES_KEY };
}
