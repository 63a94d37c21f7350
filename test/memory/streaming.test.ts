import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { generationsPath, modelsFile } from '../end-to-end/rig.ts';
import { startMeasured } from './measured-program.ts';

test.each([
  ['64 MB of base64 passed on', { prompt: 'simulate:big-64' }, 85],
  ['48 MB downloaded and encoded', { model: 'dall-e-2', prompt: 'simulate:big-48', response_format: 'b64_json' }, 64],
  ['32 MB of base64 passed on as a stream', { prompt: 'simulate:stream-big-24', stream: true }, 32],
  ['an event that is longer than any image', { prompt: 'simulate:stream-big-100', stream: true }, 60],
  ['24 MB hosted', { prompt: 'simulate:big-24', response_format: 'url' }, 0],
  ['32 MB of base64 in a response', { input: 'simulate:big-24' }, 32],
  ['32 MB of base64 in the events of a response, twice', { input: 'simulate:big-24', stream: true }, 64],
])('%s: the memory of the gateway process hardly moves', async (_, body, minMegabytes) => {
  const isResponse = 'input' in body;
  const biggest = isResponse ? body.input : body.prompt;
  const simulator = await startSimulator({ operationMs: 5 });
  onTestFinished(() => simulator.close());
  const program = await startMeasured({ models: modelsFile(simulator.origin, 600_000) });
  const url = await program.listening();

  async function transfer(prompt: string): Promise<number> {
    const response = await request(`${url}${isResponse ? '/v1/responses' : generationsPath}`, {
      method: 'POST',
      headers: { 'api-key': 'program-key', 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, ...(isResponse ? { input: prompt } : { prompt }) }),
    });
    expect(response.statusCode).toBe(200);
    let bytes = 0;
    for await (const chunk of response.body) {
      bytes += chunk.length;
      end = chunk.toString('latin1').slice(-1_000);
    }
    return bytes;
  }
  let end = '';

  // The first call loads and compiles what every later one uses.
  await transfer('simulate:big-4');
  await program.peakMegabytes();
  const before = await program.peakMegabytes();
  expect(await transfer(biggest)).toBeGreaterThan(minMegabytes * 1_000_000);
  expect(end.includes('"code":"upstream_invalid_response"')).toBe(biggest === 'simulate:stream-big-100');
  expect((await program.peakMegabytes()) - before).toBeLessThan(16);
});
