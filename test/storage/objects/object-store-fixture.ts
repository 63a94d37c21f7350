import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createDiskImageStore } from '../../../src/storage/disk-image-store.ts';
import type { ObjectBucket } from '../../../src/storage/objects/object-bucket.ts';
import {
  createObjectImageStore,
  type ObjectImageStore,
  type ObjectStoreTimes,
} from '../../../src/storage/objects/object-image-store.ts';
import { storeDirectory } from '../store-directory.ts';

type Options = {
  readonly directory?: string;
  readonly now?: () => number;
  readonly lifetimeMs?: number;
  readonly maxBytes?: number;
  readonly times?: Partial<ObjectStoreTimes>;
};

const day = 24 * 60 * 60_000;

/** Failures are followed by another try at once, and nothing is waited for long. */
export const quick: ObjectStoreTimes = { pauseMs: 10, maxPauseMs: 50, acknowledgeMs: 60_000, closeMs: 0 };

/** A store over a bucket, in a directory of its own unless one is given; it is closed with the test. */
export async function openObjectStore(
  bucket: ObjectBucket,
  { directory, now = Date.now, lifetimeMs = day, maxBytes, times }: Options = {},
): Promise<ObjectImageStore & { readonly directory: string; readonly images: string }> {
  const root = directory ?? (await storeDirectory());
  const local = await createDiskImageStore({ directory: root, now, lifetimeMs, maxBytes });
  const store = createObjectImageStore({ bucket, local, lifetimeMs, now, times: { ...quick, ...times } });
  onTestFinished(() => store.close());
  return Object.assign(store, { directory: root, images: join(root, 'images') });
}
