import { expect, onTestFinished, test } from 'vitest';
import { ObjectSweep } from '../../../src/storage/objects/object-sweep.ts';
import { MemoryBucket } from './memory-bucket.ts';

const hour = 60 * 60_000;

async function filled() {
  const bucket = new MemoryBucket();
  const start = Date.now();
  const clock = { now: start };
  for (const [name, expiresAt] of [
    ['images/short', start + hour],
    ['images/long', start + 3 * hour],
    ['inputs/job/short', start + hour],
    ['others/short', start + hour],
  ] as const) {
    const properties = { contentType: 'image/png', expiresAt, isKept: true };
    await bucket.put(name, Buffer.from('x'), properties, AbortSignal.any([]));
  }
  const sweep = new ObjectSweep({ bucket, lifetimeMs: () => 2 * hour, now: () => clock.now });
  onTestFinished(() => sweep.close());
  return { bucket, sweep, clock, start };
}

test('what has expired by its metadata is removed, and nothing else of the bucket', async () => {
  const { bucket, sweep, clock, start } = await filled();
  await sweep.sweep();
  expect(bucket.objects.size).toBe(4);
  clock.now = start + hour;
  await sweep.sweep();
  expect([...bucket.objects.keys()]).toEqual(['images/long', 'others/short']);
});

test('where a listing does not tell the expiry, objects stay an hour longer than images are kept', async () => {
  const { bucket, sweep, clock, start } = await filled();
  bucket.isForgetful = true;
  clock.now = start + 3 * hour - 1;
  await sweep.sweep();
  expect(bucket.objects.size).toBe(4);
  // The objects are a moment younger than the start.
  clock.now = Date.now() + 3 * hour;
  await sweep.sweep();
  expect([...bucket.objects.keys()]).toEqual(['others/short']);
});

test('an object store that is away is reported to whoever sweeps', async () => {
  const { bucket, sweep } = await filled();
  bucket.status = 503;
  await expect(sweep.sweep()).rejects.toMatchObject({ status: 503 });
});
