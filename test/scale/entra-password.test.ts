import { expect, test } from 'vitest';
import { createPostgresJobStore } from '../../src/storage/postgres/postgres-job-store.ts';
import { hour } from '../storage/sql/open-job-store.ts';
import { startPostgres } from './engines/postgres.ts';

const limits = { keepMs: hour, rejoinMs: hour, orphanMs: hour, fingerprintVersion: 1 };

test('a token is the password, and each connection gets the one that is valid then', async () => {
  await using server = await startPostgres({ password: 'first-token' });
  const place = { host: '127.0.0.1', port: server.port, database: 'postgres', user: 'gateway', schema: undefined };
  const database = { ...place, password: 'entra', isEncrypted: false } as const;
  let token = 'first-token';
  const store = await createPostgresJobStore({ ...limits, database, token: async () => token });
  await server.query("alter user gateway password 'second-token'");
  token = 'second-token';
  await server.kill();
  await server.restart();
  await expect
    .poll(() =>
      store.figures().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  await store.close();
  const failing = createPostgresJobStore({
    ...limits,
    database,
    token: () => Promise.reject(new Error('no identity')),
  });
  await expect(failing).rejects.toThrow(`JOBS_URL cannot be used (127.0.0.1:${server.port}): no identity`);
});
