import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

// The loaders of libvips are switched off for a whole process, so each attempt has one of its own.
const attempt = (bytes: string) => `
  import sharp from 'sharp';
  import { createImageConverter } from './src/conversion/image-conversions.ts';
  await createImageConverter({ imageConverted() {} }, false).ready();
  await sharp(${bytes}).png().toBuffer().then(() => console.log('decoded'), ({ message }) => console.log(message));
`;

async function outcomeOf(bytes: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', attempt(bytes)]);
  return stdout.trim();
}

const make = (how: string) =>
  `await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).${how}.toBuffer()`;
const svg = `Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>')`;

test.each([
  ['SVG', svg],
  ['TIFF', make('tiff()')],
])('no decoder for %s can be reached', async (_name, bytes) => {
  expect(await outcomeOf(bytes)).toMatch(/unsupported image format|is blocked/);
});

test.each(['png', 'jpeg', 'webp', 'gif', 'avif'])('%s is decoded', async (format) => {
  expect(await outcomeOf(make(`${format}()`))).toBe('decoded');
});
