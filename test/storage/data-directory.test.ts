import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { claimDirectory } from '../../src/storage/data-directory.ts';
import { storeDirectory } from './store-directory.ts';

test('a directory is claimed once', async () => {
  const directory = await storeDirectory();
  await claimDirectory(directory);
  await expect(claimDirectory(directory)).rejects.toMatchObject({ code: 'EBUSY' });
});

test('what a process that was killed has left behind is no claim', async () => {
  const directory = await storeDirectory();
  // Nobody listens on it either.
  await writeFile(join(directory, 'azure-image-gateway.sock'), '');
  await claimDirectory(directory);
  await expect(claimDirectory(directory)).rejects.toMatchObject({ code: 'EBUSY' });
});

test('a directory whose path is too long for a socket is claimed once, too', async () => {
  const directory = join(await storeDirectory(), 'x'.repeat(120));
  await mkdir(directory);
  const temporary = await storeDirectory();
  vi.stubEnv('TMPDIR', temporary);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await claimDirectory(directory)).toBeUndefined();
  await expect(claimDirectory(directory)).rejects.toMatchObject({ code: 'EBUSY' });
  expect(await readdir(directory)).toEqual(['azure-image-gateway.sock']);
  expect(await readdir(temporary)).toEqual([]);
});

test.each([['short'], ['x'.repeat(120)]])('where there can be no socket, it says why: %s', async (name) => {
  // Not even the directory is there.
  const directory = join(await storeDirectory(), name);
  expect(await claimDirectory(directory)).toMatch(/^E[A-Z]+$/);
});
