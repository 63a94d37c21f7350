import { execFile } from 'node:child_process';
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { expect } from 'vitest';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** Runs a program of a document with the packages of a directory, and expects it to save the images that it names. */
export async function expectProgram(text: string, { packages }: { readonly packages: string }): Promise<void> {
  const directory = await temporaryDirectory();
  await symlink(resolve(packages), join(directory, 'node_modules'));
  await writeFile(join(directory, 'example.mjs'), text);
  await promisify(execFile)(process.execPath, ['example.mjs'], { cwd: directory });
  await expectImages(directory, text);
}

/** Expects the directory to hold exactly the images that an example names, complete; a name with `${…}` means two partial images. */
export async function expectImages(directory: string, example: string): Promise<void> {
  const named = [...example.matchAll(/[\w$.{}-]+\.png\b/g)].map(([name]) => name);
  const names = named.flatMap((name) => (name.includes('${') ? ['partial-0.png', 'partial-1.png'] : [name]));
  const saved = (await readdir(directory)).filter((name) => name.endsWith('.png'));
  expect(saved.sort()).toEqual([...new Set(names)].sort());
  for (const name of saved) {
    const { format, width } = await sharp(await readFile(join(directory, name))).metadata();
    expect([name, format, width]).toEqual([name, 'png', 1024]);
  }
}
