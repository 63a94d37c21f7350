import { startAzurite } from './engines/azurite.ts';
import { startPostgres } from './engines/postgres.ts';

/** A database, in which each test has a schema of its own, and an object store for all of them. */
export async function setup(): Promise<() => Promise<void>> {
  const database = await startPostgres({ settings: ['max_connections=400'] });
  const { account, key, container, endpoint, close } = await startAzurite();
  process.env.TEST_POSTGRES_URL = database.url;
  process.env.TEST_IMAGES_URL = `azblob://${account}/${container}?endpoint=${endpoint}`;
  process.env.TEST_IMAGES_KEY = key.expose();
  return async () => {
    await close();
    await database[Symbol.asyncDispose]();
  };
}
