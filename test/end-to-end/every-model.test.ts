import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startDemo } from './start-demo.ts';

test('one client script draws with every model of the demo: base64, link, four images, stream and edit', async () => {
  const { url } = await startDemo();
  const env = { PATH: process.env.PATH, OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: 'demo-key' };
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/draw-with-every-model.mjs'], { env });
  const drawn = 'base64 1, url 1, n=4 4, stream 1, edit 1';
  expect(stdout.trim().split('\n')).toEqual([
    `azure-image: ${drawn}`,
    `azure-image-v1: ${drawn}`,
    `artist: ${drawn}`,
    `poster-artist: ${drawn}`,
    `mai-image: ${drawn}`,
    `flux: ${drawn}`,
    'dall-e-legacy: base64 1, url 1, n=4 4, stream 1, edit unsupported',
    ...['gpt-image-1', 'gpt-image-2', 'dall-e-2', 'dall-e-3'].map((alias) => `${alias}: ${drawn}`),
  ]);
});
