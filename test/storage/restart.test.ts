import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { filesIn, newId, openStore, png, put, readBack, storeDirectory } from './store-directory.ts';

const hour = 60 * 60_000;

test('images are found again after a restart, with all that is known about them', async () => {
  const before = await openStore();
  const stored = await Promise.all([png(100), png(200)].map((made) => put(before, made)));
  await before.close();
  const after = await openStore({ directory: before.directory, lifetimeMs: 1 });
  for (const image of stored) expect(await after.open(image.id)).toMatchObject(image);
  expect(await readBack(after, stored[1]?.id ?? '')).toEqual(png(200));
});

test('a restart removes what has expired, and then the oldest of what is too much', async () => {
  let now = 0;
  const before = await openStore({ now: () => now, lifetimeMs: 100 });
  await put(before);
  now = 50;
  const ids: string[] = [];
  for (let at = 0; at < 3; at += 1) ids.push((await put(before)).id);
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

test('the regular sweep removes a half-written image once nobody can be writing it, but never one of its own', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    const store = await openStore();
    const arriving = store.receive(newId(), { isKept: true });
    await arriving.write(png());
    const [own = ''] = await filesIn(store.directory);
    await writeFile(join(store.directory, 'arriving', 'a'.repeat(24)), png());
    const longAgo = (Date.now() - 2 * hour) / 1_000;
    for (const name of [own, 'a'.repeat(24)]) await utimes(join(store.directory, 'arriving', name), longAgo, longAgo);
    vi.advanceTimersByTime(5 * 60_000);
    await vi.waitFor(async () => expect(await filesIn(store.directory)).toEqual([own]));
    await arriving.commit();
    await arriving.close();
  } finally {
    vi.useRealTimers();
  }
});

test('what was half-written when no other process used the directory is removed at the start', async () => {
  const { directory } = await openStore();
  const before = Date.now() - 1_000;
  const leftovers = ['a'.repeat(24), `${'b'.repeat(24)}.0123abcd`];
  for (const name of [...leftovers, 'notes.txt']) await writeFile(join(directory, 'arriving', name), png());
  await openStore({ directory });
  expect((await filesIn(directory)).sort()).toEqual([...leftovers, 'notes.txt']);
  await openStore({ directory, soleAt: before });
  expect((await filesIn(directory)).sort()).toEqual([...leftovers, 'notes.txt']);
  await openStore({ directory, soleAt: Date.now() + 1_000 });
  expect(await filesIn(directory)).toEqual(['notes.txt']);
});

test('an image that a process could not finish can begin anew under its id', async () => {
  const { directory } = await openStore();
  const id = newId();
  await writeFile(join(directory, 'arriving', id), png().subarray(0, 20));
  const store = await openStore({ directory });
  await put(store, png(), { id, isKept: true });
  expect(await readBack(store, id)).toEqual(png());
});

test('images whose names hold a hash, as earlier versions wrote them, are found, and expire', async () => {
  const { directory } = await openStore();
  const id = newId();
  const expiresAt = Date.now() + hour;
  await writeFile(join(directory, 'images', `${id}.${expiresAt}.100.${'h'.repeat(43)}.png`), png(100));
  let now = Date.now();
  const store = await openStore({ directory, now: () => now });
  const image = await store.open(id);
  expect(image).toEqual({ id, mediaType: 'image/png', length: 100, expiresAt, read: expect.any(Function) });
  expect(await readBack(store, id)).toEqual(png(100));
  expect(store.usage).toMatchObject({ bytes: 100, evictableBytes: 100 });
  now = expiresAt;
  expect(await store.open(id)).toBeUndefined();
  await openStore({ directory, now: () => now });
  expect(await filesIn(directory)).toEqual([]);
});

test('kept images are still kept after a restart', async () => {
  const before = await openStore();
  await put(before, png(100), { isKept: true });
  await put(before, png(200));
  await before.close();
  const after = await openStore({ directory: before.directory, maxBytes: 50 });
  expect(after.usage).toMatchObject({ bytes: 100, evictableBytes: 0 });
});

test('a restart removes what carries the name of an image and is none, and leaves files that are not its own', async () => {
  const before = await openStore();
  const images = join(before.directory, 'images');
  const { id } = await put(before);
  const kept = await put(before);
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
  const { id } = await put(before);
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
    const stored = store.receive('s'.repeat(24), { isKept: true });
    await stored.write(header);
    const { id } = await stored.commit();
    await store.receive('h'.repeat(24), { isKept: true }).write(header);
    setInterval(() => {}, 1_000);
    process.stdout.write(id);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', storing, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const [id] = (await once(child.stdout, 'data')).map(String);
  child.kill('SIGKILL');
  await exit;
  expect(await filesIn(directory)).toHaveLength(2);

  const store = await openStore({ directory, soleAt: Date.now() + 1_000 });
  expect(await readBack(store, id ?? '')).toHaveLength(12);
  expect(await filesIn(directory)).toHaveLength(1);
});
