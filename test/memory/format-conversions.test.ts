import sharp from 'sharp';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { generationsPath, modelsFile, startUpstream } from '../end-to-end/rig.ts';
import { startMeasured } from './measured-program.ts';

const megabyte = 1024 * 1024;
const atOnce = 20;

/** A PNG of noise, which cannot be made smaller: as large as a detailed image of a model. */
async function noisyPng(): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  const create = { width: 1200, height: 1200, channels: 3, background: 'white', noise } as const;
  return sharp({ create }).png().toBuffer();
}

test(`${atOnce} conversions of 4 MB from PNG to WebP at once: the process stays below 400 MB`, async () => {
  const png = await noisyPng();
  expect(png.length).toBeGreaterThan(4 * megabyte);
  const body = JSON.stringify({ created: 1, data: [{ b64_json: png.toString('base64') }] });
  const upstream = await startUpstream((_request, response) => void response.end(body));
  const program = await startMeasured({ models: modelsFile(upstream.origin, 600_000) });
  const url = await program.listening();
  const convert = async () => {
    const response = await request(`${url}${generationsPath}`, {
      method: 'POST',
      headers: { 'api-key': 'program-key', 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'a cat', output_format: 'webp' }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, start: text.slice(text.indexOf('"b64_json":"'), 100) };
  };
  const responses = await Promise.all(Array.from({ length: atOnce }, convert));
  // RIFF
  expect(responses.filter(({ status, start }) => status !== 200 || !start.includes('"UklGR'))).toEqual([]);
  const resident = await program.residentMegabytes();
  process.stdout.write(
    `${atOnce} conversions of ${Math.round(png.length / megabyte)} MB: ${Math.round(resident)} MB\n`,
  );
  expect(resident).toBeLessThan(400);
});
