import { startPostgres } from './engines/postgres.ts';

/** A server for the tests that each have a schema of their own. */
export async function setup(): Promise<() => Promise<void>> {
  const server = await startPostgres({ settings: ['max_connections=400'] });
  process.env.TEST_POSTGRES_URL = server.url;
  return async () => server[Symbol.asyncDispose]();
}
