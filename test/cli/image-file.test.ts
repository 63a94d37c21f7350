import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openImageFile } from '../../src/cli/image-file.ts';

const now = new Date('2026-11-21T18:30:05.120Z');
const png = Buffer.from('\x89PNG\r\n\x1a\n and more', 'latin1');

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'smoke-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

describe('the file of an image', () => {
  test.each([
    [png, 'png'],
    [Buffer.from('\xff\xd8\xff and more bytes', 'latin1'), 'jpg'],
    [Buffer.from('RIFF....WEBP', 'latin1'), 'webp'],
    [Buffer.from('nothing known'), 'bin'],
  ])('is named by model, time and kind, and holds it', async (bytes, extension) => {
    const path = await directory();
    const file = await openImageFile(path, 'studio/poster', now);
    const name = await file.save(bytes);
    await file.drop();
    expect(await readdir(path)).toEqual([`smoke-studio-poster-2026-11-21T18-30-05-120.${extension}`]);
    expect(await readFile(name)).toEqual(bytes);
  });

  test('is taken away when there is no image', async () => {
    const path = await directory();
    await (await openImageFile(path, 'a', now)).drop();
    expect(await readdir(path)).toEqual([]);
  });

  test('is never written over another one, and what was paid for is kept beside it', async () => {
    const path = await directory();
    const other = join(path, 'smoke-a-2026-11-21T18-30-05-120.png');
    await writeFile(other, 'other');
    const file = await openImageFile(path, 'a', now);
    await expect(file.save(png)).rejects.toThrow('EEXIST');
    await file.drop();
    expect(await readFile(other, 'utf8')).toBe('other');
    expect(await readFile(join(path, 'smoke-a-2026-11-21T18-30-05-120.part'))).toEqual(png);
  });

  test('cannot be opened where nothing can be written', async () => {
    await expect(openImageFile(join(await directory(), 'nowhere'), 'a', now)).rejects.toThrow('ENOENT');
  });
});
