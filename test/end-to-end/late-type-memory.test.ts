import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startProgram } from './program.ts';
import { generationsPath, modelsFile, startUpstream, tinyPng } from './rig.ts';

const megabyte = 1024 * 1024;
const [streams, imageMegabytes] = [8, 24];

test('8 streams whose 24 MB of base64 stand before the type are held outside of memory', {
  timeout: 90_000,
}, async () => {
  const part = Buffer.alloc(megabyte, 'QUJD');
  const upstream = await startUpstream(async (_request, response) => {
    response.write(`data: {"b64_json":"${tinyPng.slice(0, 40)}`);
    for (let sent = 0; sent < imageMegabytes; sent += 1) {
      if (!response.write(part)) await once(response, 'drain');
    }
    response.end('","type":"image_generation.completed"}\n\n');
  });
  const program = await startProgram({
    models: modelsFile(upstream.origin),
    nodeOptions: ['--import', new URL('report-memory.ts', import.meta.url).href],
  });
  const url = await program.listening();
  const peak = async () => {
    const told = once(program.child, 'message');
    program.child.send('peak');
    return ((await told)[0] as number) / megabyte;
  };
  const atRest = await peak();
  const lengths = await Promise.all(Array.from({ length: streams }, () => lengthOfStream(url)));
  for (const length of lengths) expect(length).toBeGreaterThan(imageMegabytes * megabyte);
  // What admission sets aside for each, and as much again for the chunks on their way.
  expect((await peak()) - atRest).toBeLessThan(2 * streams + 16);
});

/** Reads an answer without keeping it. */
async function lengthOfStream(url: string): Promise<number> {
  const answer = await fetch(`${url}${generationsPath}`, {
    method: 'POST',
    headers: { authorization: 'Bearer program-key', 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'a cat', stream: true }),
  });
  let length = 0;
  for await (const chunk of answer.body ?? []) length += chunk.length;
  return length;
}
