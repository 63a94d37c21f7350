import { beforeEach, expect, test, vi } from 'vitest';
import { shareRuns } from '../../src/concurrency/share-runs.ts';

// Pauses end when the test says so.
const pauses = vi.hoisted((): { ms: number; end: () => void }[] => []);
vi.mock('../../src/concurrency/pause.ts', () => ({
  pause: (ms: number, signal: AbortSignal) =>
    new Promise<void>((end, fail) => {
      pauses.push({ ms, end });
      if (signal.aborted) fail(signal.reason);
      signal.addEventListener('abort', () => fail(signal.reason));
    }),
}));
beforeEach(() => void pauses.splice(0));

const settle = () => new Promise((resolve) => setImmediate(resolve));

function start(signal = new AbortController().signal) {
  const runs: PromiseWithResolvers<void>[] = [];
  const task = () => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  };
  return { runs, ask: shareRuns(task, 1_000, signal) };
}

test('all who ask before a run begins share it', async () => {
  const { runs, ask } = start();
  const asked = [ask(), ask(), ask()];
  await settle();
  expect(runs).toHaveLength(1);
  runs[0]?.resolve();
  await Promise.all(asked);
});

test('who asks during a run gets the next one, which begins no earlier than it may', async () => {
  const { runs, ask } = start();
  const first = ask();
  await settle();
  let isDone = false;
  const asked = Promise.all([ask(), ask()]).then(() => {
    isDone = true;
  });
  await settle();
  expect([runs.length, pauses.length]).toEqual([1, 0]);
  runs[0]?.resolve();
  await first;
  await settle();
  expect(runs).toHaveLength(1);
  expect(pauses).toHaveLength(1);
  expect(pauses[0]?.ms).toBeGreaterThan(0);
  expect(pauses[0]?.ms).toBeLessThanOrEqual(1_000);
  pauses[0]?.end();
  await settle();
  expect([runs.length, isDone]).toEqual([2, false]);
  runs[1]?.resolve();
  await asked;
});

test('a run that fails fails for those who share it, and not for others', async () => {
  const { runs, ask } = start();
  const asked = [ask(), ask()];
  await settle();
  runs[0]?.reject(new Error('broken'));
  for (const one of asked) await expect(one).rejects.toThrow('broken');
  const again = ask();
  await settle();
  pauses[0]?.end();
  await settle();
  runs[1]?.resolve();
  await again;
});

test('the wait for the next run ends with the signal', async () => {
  const abort = new AbortController();
  const { runs, ask } = start(abort.signal);
  const first = ask();
  await settle();
  runs[0]?.resolve();
  await first;
  const second = ask();
  await settle();
  expect(runs).toHaveLength(1);
  abort.abort();
  await settle();
  expect(runs).toHaveLength(2);
  runs[1]?.resolve();
  await second;
});
