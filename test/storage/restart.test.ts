import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { chunks, filesIn, openStore, png, readBack, storeDirectory } from './store-directory.ts';

const hour = 60 * 60_000;

test('images are found again after a restart, with all that is known about them', async () => {
  const before = await openStore();
  const stored = await Promise.all([png(100), png(200)].map((made) => before.put(chunks(made))));
  await before.close();
  const after = await openStore({ directory: before.directory, lifetimeMs: 1 });
  for (const image of stored) expect(await after.open(image.id)).toMatchObject(image);
  expect(await readBack(after, stored[1]?.id ?? '')).toEqual(png(200));
});

test('a restart removes what has expired, and then the oldest of what is too much', async () => {
  let now = 0;
  const before = await openStore({ now: () => now, lifetimeMs: 100 });
  await before.put(chunks(png()));
  now = 50;
  const ids: string[] = [];
  for (let at = 0; at < 3; at += 1) ids.push((await before.put(chunks(png()))).id);
  await before.close();
  for (const name of await readdir(join(before.directory, 'images'))) {
    const age = ids.findIndex((id) => name.startsWith(id));
    await utimes(join(before.directory, 'images', name), 100 + age, 100 + age);
  }

  now = 120;
  const after = await openStore({ directory: before.directory, now: () => now, maxBytes: 250 });
  const [oldest = '', ...younger] = ids;
  expect(await after.open(oldest)).toBeUndefined();
  for (const id of younger) expect(await after.open(id)).toBeDefined();
  expect(await filesIn(before.directory)).toHaveLength(2);
});

test('a half-written image of a process that died is removed at the start, one that may still arrive is not', async () => {
  const { directory } = await openStore();
  const [dead, alive] = ['a', 'b'].map((letter) => letter.repeat(24)) as [string, string];
  for (const name of [dead, alive]) await writeFile(join(directory, 'arriving', name), png().subarray(0, 20));
  const longAgo = (Date.now() - 2 * hour) / 1_000;
  await utimes(join(directory, 'arriving', dead), longAgo, longAgo);
  const store = await openStore({ directory });
  expect(await filesIn(directory)).toEqual([alive]);
  expect(await store.open(alive)).toBeUndefined();
});

test('the regular sweep removes a half-written image once nobody can be writing it', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    let now = Date.now();
    const { directory } = await openStore({ now: () => now });
    await writeFile(join(directory, 'arriving', 'a'.repeat(24)), png());
    now += 2 * hour;
    vi.advanceTimersByTime(5 * 60_000);
    await vi.waitFor(async () => expect(await filesIn(directory)).toEqual([]));
  } finally {
    vi.useRealTimers();
  }
});

test('a restart removes what carries the name of an image and is none, and leaves files that are not its own', async () => {
  const before = await openStore();
  const images = join(before.directory, 'images');
  const { id } = await before.put(chunks(png()));
  const kept = await before.put(chunks(png()));
  const [name = ''] = (await readdir(images)).filter((entry) => entry.startsWith(id));
  await truncate(join(images, name), 50);
  const linked = name.replace(id, 'l'.repeat(24));
  await symlink('/etc/passwd', join(images, linked));
  await writeFile(join(images, 'notes.txt'), 'mine');
  await writeFile(join(images, name.replace(/\.png$/, '.svg')), png());

  const after = await openStore({ directory: before.directory });
  expect(await after.open(id)).toBeUndefined();
  expect(await after.open('l'.repeat(24))).toBeUndefined();
  expect(await after.open(kept.id)).toBeDefined();
  const left = await filesIn(images);
  expect(left).not.toContain(name);
  expect(left).not.toContain(linked);
  expect(left).toContain('notes.txt');
});

test('a folder that carries the name of an image is not one', async () => {
  const before = await openStore();
  const { id } = await before.put(chunks(png()));
  const [name = ''] = await readdir(join(before.directory, 'images'));
  await mkdir(join(before.directory, 'images', name.replace(id, 'd'.repeat(24))));
  const after = await openStore({ directory: before.directory });
  expect(await after.open('d'.repeat(24))).toBeUndefined();
  expect(await after.open(id)).toBeDefined();
});

test('a process killed while it stores loses no stored image and shows no half one', async () => {
  const directory = await storeDirectory();
  const storing = `
    import { createDiskImageStore } from ${JSON.stringify(new URL('../../src/storage/disk-image-store.ts', import.meta.url).href)};
    const store = await createDiskImageStore({ directory: process.argv[1] });
    const header = Buffer.from('89504e470d0a1a0a00000000', 'hex');
    const stored = await store.put((async function* () { yield header; })());
    setInterval(() => {}, 1_000);
    await store.put((async function* () {
      yield header;
      process.stdout.write(stored.id);
      await new Promise(() => {});
    })());
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', storing, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const [id] = (await once(child.stdout, 'data')).map(String);
  child.kill('SIGKILL');
  await exit;
  expect(await filesIn(directory)).toHaveLength(2);

  const store = await openStore({ directory, now: () => Date.now() + 2 * hour });
  expect(await readBack(store, id ?? '')).toHaveLength(12);
  expect(await filesIn(directory)).toHaveLength(1);
});
