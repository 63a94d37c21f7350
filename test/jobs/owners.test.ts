import { expect, test } from 'vitest';
import type { TakenJob } from '../../src/domain/job-store.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import {
  attempt,
  begin,
  claimOf,
  done,
  failure,
  keyless,
  leave,
  openJobStore,
  send,
  stopped,
  unavailable,
} from '../storage/sql/open-job-store.ts';
import { startJobProcess } from './start-job-process.ts';

test('a process that was stopped keeps its job until its lease ends; late, it may tell only how its job ended', async () => {
  const directory = await temporaryDirectory();
  const { child, ask } = await startJobProcess(directory, 3_000, 100);
  const store = await openJobStore({ directory });
  expect(await ask('send=key')).toBe('sent');
  child.kill('SIGSTOP');
  expect(await store.takeOver()).toEqual([]);
  let taken: readonly TakenJob[] = [];
  await expect.poll(async () => (taken = await store.takeOver())).toHaveLength(1);
  const [{ lease }] = taken as [TakenJob];
  await store.finish(lease, failure('unknown'));
  child.kill('SIGCONT');
  expect(await ask('dispatch')).toBe('store_unavailable');
  expect(await ask('finish')).toBe('finished');
  expect(await store.read(lease.job)).toMatchObject({ name: 'done' });
  // It goes on as another owner.
  expect(await ask('send=other')).toBe('sent');
  expect(await ask('finish')).toBe('finished');
});

test('a job without a key, whose process has died, waits for the retry of its client', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory });
  const { job } = await send(first, keyless());
  await first.close();
  const second = await openJobStore({ directory });
  const [taken] = (await second.takeOver()) as [TakenJob];
  expect(taken).toMatchObject({ lease: { job, epoch: 2 }, isKeyed: false });
  await second.finish(taken.lease, done);
  expect(await second.claim(keyless())).toEqual({ kind: 'ended', job, end: done });
});

test('the retry of a client finds its job before anybody has taken that over', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory });
  const second = await openJobStore({ directory });
  const { job } = await send(first, keyless());
  // Who does not say that it is a retry does not wait until it is known whether the first process lives.
  expect(await second.claim(keyless({ rejoinMs: 15_000 }))).toMatchObject({ kind: 'new' });
  await first.close();
  expect(await second.claim(keyless())).toEqual({ kind: 'running', job });
  expect(await second.takeOver()).toMatchObject([{ lease: { job, epoch: 2 } }]);
});

test('a job whose new client has died with its process can be joined again', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory });
  const { job } = await leave(first);
  const second = await openJobStore({ directory });
  expect(await second.claim(keyless())).toEqual({ kind: 'running', job });
  expect(await first.claim(keyless())).toMatchObject({ kind: 'new' });
  await second.close();
  expect(await first.claim(keyless())).toEqual({ kind: 'running', job });
});

test('taking over registers a process again that was taken for dead, too', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory, lease: stopped });
  const second = await openJobStore({ directory, lease: stopped });
  await second.takeOver();
  await send(second);
  expect(await first.takeOver()).toHaveLength(1);
});

test('late evidence heals an unknown outcome only if nothing was sent since', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory, lease: stopped });
  const healed = await send(first);
  const resent = await send(first, claimOf({ key: 'resent' }));
  const resumed = await send(first, claimOf({ key: 'resumed' }));
  const second = await openJobStore({ directory });
  for (const { lease, attempts } of await second.takeOver()) {
    if (lease.job === resent.job) await second.dispatch(lease, [...attempts, attempt], true);
    await second.finish(lease, failure(lease.job === resumed.job ? 'refused' : 'unknown'));
  }
  await first.finish(healed, done);
  await first.finish(healed, done);
  expect(await second.read(healed.job)).toEqual(done);
  await expect(first.finish(resent, done)).rejects.toMatchObject(unavailable);
  expect(await second.read(resent.job)).toEqual(failure('unknown'));
  await expect(first.finish(resumed, done)).rejects.toMatchObject(unavailable);
  expect(await second.read(resumed.job)).toEqual(failure('refused'));
});

test('a process that was taken for dead may not write its jobs, and goes on under another name', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory, lease: stopped });
  const keyed = await send(first);
  const unsent = await begin(first, keyless());
  const sent = await send(first, keyless({ fingerprint: 'other' }));
  const second = await openJobStore({ directory });
  expect(await second.takeOver()).toHaveLength(2);
  for (const lease of [keyed, unsent, sent]) {
    await expect(first.dispatch(lease, [attempt], false)).rejects.toMatchObject(unavailable);
  }
  await expect(first.orphan(sent)).rejects.toMatchObject(unavailable);
  const next = await send(first, claimOf({ key: 'next' }));
  await first.finish(next, done);
});

test('a job without a key that was given up is found by the retry of its client, also after it was taken over', async () => {
  const directory = await temporaryDirectory();
  const first = await openJobStore({ directory });
  const second = await openJobStore({ directory });
  const lease = await send(first, keyless());
  await first.release(lease);
  expect(await second.takeOver()).toHaveLength(1);
  expect(await second.claim(keyless())).toEqual({ kind: 'running', job: lease.job });
});
