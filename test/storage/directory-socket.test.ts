import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { isListening, listenInDirectory } from '../../src/storage/directory-socket.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

test('a process is seen as long as it listens, and leaves no file behind', async () => {
  const directory = await temporaryDirectory();
  const path = join(directory, 'one.sock');
  expect(await isListening(path)).toBe(false);
  const socket = await listenInDirectory(path);
  expect(await isListening(path)).toBe(true);
  await socket?.close();
  expect(await isListening(path)).toBe(false);
  expect(await readdir(directory)).toEqual([]);
});

test('a path that is too long for a socket works, too', async () => {
  const directory = join(await temporaryDirectory(), 'x'.repeat(120));
  await mkdir(directory);
  const temporary = await temporaryDirectory();
  vi.stubEnv('TMPDIR', temporary);
  onTestFinished(() => void vi.unstubAllEnvs());
  const path = join(directory, 'one.sock');
  expect(await isListening(path)).toBe(false);
  const socket = await listenInDirectory(path);
  expect(await isListening(path)).toBe(true);
  expect(await readdir(directory)).toEqual(['one.sock']);
  expect(await readdir(temporary)).toEqual([]);
  await socket?.close();
  expect(await readdir(directory)).toEqual([]);
});

test('what a process that was killed has left behind is not mistaken for a process', async () => {
  const path = join(await temporaryDirectory(), 'one.sock');
  await writeFile(path, '');
  expect(await isListening(path)).toBe(false);
});

test.each([['short'], ['x'.repeat(120)]])('where there can be no socket, there is none: %s', async (name) => {
  // Not even the directory is there.
  expect(await listenInDirectory(join(await temporaryDirectory(), name, 'one.sock'))).toBeUndefined();
});

test('where nobody can tell whether a process listens, it does not guess', async () => {
  const file = join(await temporaryDirectory(), 'file');
  await writeFile(file, '');
  expect(await isListening(join(file, 'one.sock'))).toBeUndefined();
});

test('a long path without a place for links is no sign of death', async () => {
  const parent = await temporaryDirectory();
  vi.stubEnv('TMPDIR', join(parent, 'missing'));
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await isListening(join(parent, 'x'.repeat(120), 'one.sock'))).toBeUndefined();
});
