import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { generationsPath, modelsFile } from '../end-to-end/rig.ts';
import { startMeasured } from './measured-program.ts';

const megabyte = 1024 * 1024;

test.each([
  ['base64 to links', { model: 'image', response_format: 'url' }, 100],
  ['links to base64', { model: 'dall-e-2', response_format: 'b64_json' }, 100 * 8 * megabyte],
])('100 conversions of 8 MB images at once, %s: the process stays below 250 MB', async (how, requested, minBytes) => {
  const simulator = await startSimulator({ operationMs: 5 });
  onTestFinished(() => simulator.close());
  const program = await startMeasured({ models: modelsFile(simulator.origin, 600_000) });
  const url = await program.listening();
  const convert = async () => {
    const response = await request(`${url}${generationsPath}`, {
      method: 'POST',
      headers: { 'api-key': 'program-key', 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'simulate:big-8', ...requested }),
    });
    let bytes = 0;
    for await (const chunk of response.body) bytes += chunk.length;
    return { status: response.statusCode, bytes };
  };
  const responses = await Promise.all(Array.from({ length: 100 }, convert));
  expect(responses.filter(({ status }) => status !== 200)).toEqual([]);
  expect(responses.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(minBytes);
  const resident = await program.residentMegabytes();
  process.stdout.write(`100 conversions of 8 MB, ${how}: ${Math.round(resident)} MB\n`);
  expect(resident).toBeLessThan(250);
});
