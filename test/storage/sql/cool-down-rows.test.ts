import { expect, test } from 'vitest';
import type { SharedCoolDown } from '../../../src/domain/shared-cool-downs.ts';
import { openJobStore } from './open-job-store.ts';

const told: SharedCoolDown = {
  target: 't',
  what: 'cool-down',
  until: 100,
  askedUntil: 900,
  kind: 'upstream_unavailable',
  message: 'busy',
};

test('cool-downs are read by other processes until they are over, the longest of each kind', async () => {
  const { runner } = await openJobStore();
  await runner.run('beginCoolDown', 'one', told, 0);
  await runner.run('beginCoolDown', 'one', { ...told, what: 'breaker', until: 50 }, 0);
  await runner.run('beginCoolDown', 'two', { ...told, until: 60, message: 'shorter' }, 0);
  expect(await runner.run('readCoolDowns', 'one', 10)).toEqual([]);
  expect(await runner.run('readCoolDowns', 'two', 10)).toEqual([told, { ...told, what: 'breaker', until: 50 }]);
  expect(await runner.run('readCoolDowns', 'two', 50)).toEqual([told]);
  await runner.run('beginCoolDown', 'two', { ...told, until: 200 }, 60);
  expect(await runner.run('readCoolDowns', 'one', 60)).toEqual([{ ...told, until: 200 }]);
  expect(await runner.run('readCoolDowns', 'one', 200)).toEqual([]);
});
