import { mkdir, readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createTemporaryImageStore } from '../../src/storage/temporary-image-store.ts';
import { png, put, readBack, storeDirectory } from './store-directory.ts';

const hour = 60 * 60_000;
const leftover = 'azure-image-gateway-images-Ab12cD';

async function age(path: string, ms: number): Promise<void> {
  const then = (Date.now() - ms) / 1_000;
  await utimes(path, then, then);
}

test('a temporary store keeps images in a directory of its own, for its user only, until it is closed', async () => {
  const parent = await storeDirectory();
  const store = await createTemporaryImageStore(parent, { maxBytes: 1_000 });
  onTestFinished(() => store.close());
  const { id } = await put(store, png(), { isKept: true });
  expect(await readBack(store, id)).toEqual(png());
  expect(store.usage).toEqual({ bytes: 100, evictableBytes: 0, maxBytes: 1_000 });
  const [name = ''] = await readdir(parent);
  expect(name).toMatch(/^azure-image-gateway-images-\w{6}$/);
  expect((await stat(join(parent, name))).mode & 0o777).toBe(0o700);
  await store.close();
  await store.close();
  expect(await readdir(parent)).toEqual([]);
});

test('two temporary stores do not share their images', async () => {
  const parent = await storeDirectory();
  const [one, other] = [await createTemporaryImageStore(parent), await createTemporaryImageStore(parent)];
  const { id } = await put(one);
  expect(await other.open(id)).toBeUndefined();
  await one.close();
  expect(await readdir(parent)).toHaveLength(1);
  await other.close();
});

test('what killed processes have left is removed after a day, and nothing else', async () => {
  const parent = await storeDirectory();
  const foreign = ['azure-image-gateway-images-', `${leftover}x`, `x${leftover}`, 'images'];
  const young = leftover.replace('Ab', 'Yo');
  for (const name of [leftover, young, ...foreign]) await mkdir(join(parent, name, 'images'), { recursive: true });
  await writeFile(join(parent, leftover, 'images', 'x'), 'x');
  await writeFile(join(parent, leftover.replace('Ab', 'Fi')), '');
  await symlink(join(parent, 'images'), join(parent, leftover.replace('Ab', 'Ln')));
  for (const name of [leftover, leftover.replace('Ab', 'Fi'), ...foreign]) await age(join(parent, name), 25 * hour);
  await age(join(parent, young), 23 * hour);
  const before = await readdir(parent);
  const store = await createTemporaryImageStore(parent);
  await store.close();
  expect((await readdir(parent)).sort()).toEqual(before.filter((name) => name !== leftover).sort());
});

test('a store that is in use for long is no leftover', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    const parent = await storeDirectory();
    const store = await createTemporaryImageStore(parent);
    const path = join(parent, (await readdir(parent))[0] ?? '');
    await age(path, 25 * hour);
    vi.advanceTimersByTime(hour);
    await vi.waitFor(async () => expect((await stat(path)).mtimeMs).toBeGreaterThan(Date.now() - hour));
    const other = await createTemporaryImageStore(parent);
    const { id } = await put(store);
    expect(await readBack(store, id)).toEqual(png());
    await store.close();
    await other.close();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('a parent that does not exist is the disk’s error', async () => {
  const parent = join(await storeDirectory(), 'missing');
  await expect(createTemporaryImageStore(parent)).rejects.toMatchObject({ code: 'ENOENT' });
});
