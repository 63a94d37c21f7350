import { expect, test } from 'vitest';
import { SqlJobStore } from '../../../src/storage/sql/sql-job-store.ts';
import { hour, keyless, openJobStore, runnerOf, send } from './open-job-store.ts';

test('a job that could not be forgotten, because the store was away for a moment, is forgotten later', async () => {
  const { runner, owner } = await openJobStore();
  let isAway = true;
  const unreliable = runnerOf(async (name, ...values) => {
    if (name === 'forget' && isAway) throw new Error('the store is away');
    return await runner.run(name, ...values);
  });
  const store = new SqlJobStore(unreliable, owner, 1, { keepMs: hour, rejoinMs: hour, orphanMs: hour });
  store.forget(await send(store, keyless({ rejoinMs: 0 })));
  await store.flush();
  expect((await store.figures()).rows).toEqual({ running: 1 });
  isAway = false;
  await store.flush();
  expect((await store.figures()).rows).toEqual({});
});
