import { once } from 'node:events';
import { expect, test } from 'vitest';
import { generationsPath, modelsFile, startUpstream, tinyPng } from '../end-to-end/rig.ts';
import { startMeasured } from './measured-program.ts';

const megabyte = 1024 * 1024;
const [streams, imageMegabytes] = [8, 24];

test('8 streams whose 24 MB of base64 stand before the type are held outside of memory', async () => {
  const part = Buffer.alloc(megabyte, 'QUJD');
  const upstream = await startUpstream(async (_request, response) => {
    response.write(`data: {"b64_json":"${tinyPng.slice(0, 40)}`);
    for (let sent = 0; sent < imageMegabytes; sent += 1) {
      if (!response.write(part)) await once(response, 'drain');
    }
    response.end('","type":"image_generation.completed"}\n\n');
  });
  const program = await startMeasured({ models: modelsFile(upstream.origin, 600_000) });
  const url = await program.listening();
  const atRest = await program.peakMegabytes();
  const lengths = await Promise.all(Array.from({ length: streams }, () => lengthOfStream(url)));
  for (const length of lengths) expect(length).toBeGreaterThan(imageMegabytes * megabyte);
  // What admission sets aside for each, and as much again for the chunks on their way.
  expect((await program.peakMegabytes()) - atRest).toBeLessThan(2 * streams + 16);
});

/** Reads a response without keeping it. */
async function lengthOfStream(url: string): Promise<number> {
  const response = await fetch(`${url}${generationsPath}`, {
    method: 'POST',
    headers: { authorization: 'Bearer program-key', 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'a cat', stream: true }),
  });
  let length = 0;
  for await (const chunk of response.body ?? []) length += chunk.length;
  return length;
}
