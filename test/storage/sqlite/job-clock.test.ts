import { expect, test } from 'vitest';
import { JobClock, monotonicNow, readBootId } from '../../../src/storage/sqlite/job-clock.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { claimOf, done, hour, openJobStore, send } from '../sql/open-job-store.ts';

const start = 1_800_000_000_000;

test('without a past it begins with the wall clock, and goes on', async () => {
  const clock = new JobClock(undefined, 'boot', start);
  expect(clock.now()).toBeGreaterThanOrEqual(start);
  await expect.poll(() => clock.now()).toBeGreaterThan(start);
});

test.each([-25, 25])('after a restart of the process it does not follow a jump of %i hours', (hours) => {
  const stored = { boot: 'boot', monotonic: monotonicNow() - 5_000, time: start };
  const clock = new JobClock(stored, 'boot', start + hours * hour);
  expect(clock.now()).toBeGreaterThanOrEqual(start + 5_000);
  expect(clock.now()).toBeLessThan(start + hour);
});

test.each([
  ['another boot', { boot: 'earlier', monotonic: 0, time: start }, 'boot'],
  ['an unknown boot', { boot: '', monotonic: 0, time: start }, ''],
  ['a monotonic clock that has begun anew', { boot: 'boot', monotonic: monotonicNow() + hour, time: start }, 'boot'],
])('after %s it follows the wall clock, but never back', (_, stored, boot) => {
  const later = new JobClock(stored, boot, start + hour).now();
  expect(later).toBeGreaterThanOrEqual(start + hour);
  expect(later).toBeLessThan(start + 2 * hour);
  const earlier = new JobClock(stored, boot, start - hour).now();
  expect(earlier).toBeGreaterThanOrEqual(start);
  expect(earlier).toBeLessThan(start + hour);
});

test('a system that does not name its boots has none', () => {
  expect(readBootId('/nowhere/boot_id')).toBe('');
});

test.runIf(readBootId() !== '').each([-25, 25])('a jump of %i hours loses no job', async (hours) => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory });
  await first.finish(await send(first), done);
  const before = first.now();
  await first.close();
  const second = await openJobStore({ directory, now: () => Date.now() + hours * hour });
  expect(second.now()).toBeGreaterThanOrEqual(before);
  expect(second.now()).toBeLessThan(before + hour);
  expect(await second.claim(claimOf())).toMatchObject({ kind: 'ended', end: done });
});
