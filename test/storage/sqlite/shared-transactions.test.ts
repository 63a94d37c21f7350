import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { claimOf, openJobStore } from '../sql/open-job-store.ts';

test('operations of one moment share transactions', async () => {
  const store = await openJobStore({ directory: await temporaryDirectory() });
  const before = await store.figures();
  await Promise.all(Array.from({ length: 300 }, (_, at) => store.claim(claimOf({ key: `key ${at}` }))));
  const after = await store.figures();
  expect(after.changes - before.changes).toBe(300);
  expect(after.commits - before.commits).toBeLessThan(30);
});
