import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { attempt, openJobStore, send } from '../storage/sql/open-job-store.ts';
import { startJobProcess } from './start-job-process.ts';

test('the job of a process that was killed is taken over at once', async () => {
  const directory = await temporaryDirectory();
  const { child, ask } = await startJobProcess(directory);
  const store = await openJobStore({ directory });
  expect(await ask('send=key')).toBe('sent');
  expect(await store.takeOver()).toEqual([]);
  expect(await readdir(join(directory, 'owners'))).toHaveLength(2);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await store.takeOver()).toMatchObject([{ lease: { epoch: 2 }, isKeyed: true, attempts: [attempt] }]);
  expect(await readdir(join(directory, 'owners'))).toHaveLength(1);
});

test('jobs of a process that has ended properly are taken over, and it leaves no trace', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory });
  await send(first);
  await first.close();
  expect(await readdir(join(directory, 'owners'))).toEqual([]);
  const second = await openJobStore({ directory });
  expect(await second.takeOver()).toHaveLength(1);
});

test('a renewal notices that the process was taken for dead', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory, lease: { validMs: -1, renewEveryMs: 20 } });
  await send(first);
  const [before] = await readdir(join(directory, 'owners'));
  const second = await openJobStore({ directory });
  await second.takeOver();
  await expect.poll(() => readdir(join(directory, 'owners'))).not.toContain(before);
});
