import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';

test('the built worker runs batches, and ends when it is told to', async () => {
  const file = join(await temporaryDirectory(), 'jobs.sqlite');
  const worker = new Worker(new URL('../../../dist/job-worker.js', import.meta.url), { workerData: { file } });
  worker.postMessage([['register', 'one', 1, false, { boot: '', monotonic: 1, time: 2 }], ['states']]);
  const [result] = await once(worker, 'message');
  expect(result).toEqual([[{ boot: '', monotonic: 1, time: 2 }, []], [], 1, 2]);
  worker.postMessage('close');
  expect(await once(worker, 'exit')).toEqual([0]);
});
