import { expect, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { openJobStore } from '../storage/sql/open-job-store.ts';
import { startJobProcess } from './start-job-process.ts';

test('of eight processes that claim 500 keys at the same time, one gets each', async () => {
  const directory = await temporaryDirectory();
  const processes = await Promise.all(Array.from({ length: 8 }, () => startJobProcess(directory)));
  const winners = await Promise.all(processes.map(({ ask }) => ask('race=500')));
  const keys = (winners as number[][]).flat();
  expect(keys).toHaveLength(500);
  expect(new Set(keys).size).toBe(500);
  const store = await openJobStore({ directory });
  expect((await store.figures()).rows).toEqual({ queued: 500 });
});
