import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { inflateBody } from '../../src/upstream/inflate-body.ts';
import { editForm, expectError, file, padded, post, startEdits } from '../end-to-end/edits.ts';
import { startUpstream, tinyPng } from '../end-to-end/rig.ts';
import { json, openCaller } from '../simulator/call-simulator.ts';
import { formHeaders } from '../simulator/write-form.ts';

// Bodies of hundreds of megabytes, which take seconds to pass.

const megabyte = 1024 * 1024;

test('limits.uploadBytes is what a body may have, 200 MB by default, and more where it is raised', async () => {
  const large = padded(Buffer.from(tinyPng, 'base64'), 30 * megabyte);
  const form = editForm(Array.from({ length: 8 }, () => file('image[]', large)));
  const unlimited = await startEdits();
  expectError(await post(unlimited.url, form, formHeaders), 413, 'request_too_large');
  const upstream = await startUpstream((_request, response) => {
    response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] }));
  });
  const raised = await startEdits({ upstream: upstream.origin, fileKeys: { limits: { uploadBytes: 850_000_000 } } });
  expect((await post(raised.url, form, formHeaders)).status).toBe(200);
});

test('a compressed response breaks when it unpacks to far more than any response', async () => {
  const bomb = gzipSync(Buffer.alloc(257 * megabyte));
  const body = inflateBody(Readable.from([bomb]), 'gzip');
  let length = 0;
  const reading = (async () => {
    for await (const chunk of body) length += (chunk as Buffer).length;
  })();
  await expect(reading).rejects.toThrow('too much');
  expect(length).toBeLessThanOrEqual(256 * megabyte);
});

test('the simulator’s stream-big goes to a hundred megabytes, and no further', async () => {
  const caller = await openCaller();
  onTestFinished(() => caller.close());
  const stream = (scenario: string) =>
    caller.generate(`gpt-image-2--${scenario}`, { prompt: 'a cat', stream: true, partial_images: 0 });
  expect((await stream('stream-big-100')).bytes.length).toBeGreaterThan(133 * megabyte);
  expect(json(await stream('stream-big-101')).error.code).toBe('unknown_scenario');
});
