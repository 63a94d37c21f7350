import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { inWords, streamGateway } from './events.ts';
import { startRig } from './rig.ts';

/** What an image turns out to be when it is decoded. */
async function decoded(base64: string | undefined): Promise<string> {
  const { format, width, height } = await sharp(Buffer.from(base64 ?? '', 'base64')).metadata();
  return `${format} ${width}x${height}`;
}

type Images = { readonly output_format?: string; readonly background?: string; readonly data: Item[] };
type Item = { readonly b64_json?: string; readonly url?: string };

function imagesIn({ status, text }: Called): Images {
  expect({ status, text: status === 200 ? '' : text }).toEqual({ status: 200, text: '' });
  return JSON.parse(text) as Images;
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'converted-outputs-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

describe('an output format that the family lacks', () => {
  test('is converted from png: the upstream is asked for its default, and the response says what it is', async () => {
    const { url, paidPosts } = await startRig();
    const called = await callGateway(url, { prompt: 'a cat', output_format: 'webp', output_compression: 80 });
    const { data, ...facts } = imagesIn(called);
    expect(await decoded(data[0]?.b64_json)).toBe('webp 1024x1024');
    expect(facts).toMatchObject({ output_format: 'webp' });
    expect(called.headers.get('x-gateway-adapted')).toBe('output_format=png>webp');
    expect(paidPosts().map(({ body }) => body)).toEqual([{ prompt: 'a cat' }]);
  });

  test('is converted in every image of several', async () => {
    const { url } = await startRig();
    const { data } = imagesIn(await callGateway(url, { prompt: 'a cat', n: 3, output_format: 'webp' }));
    const all = await Promise.all(data.map(({ b64_json }) => decoded(b64_json)));
    expect(all).toEqual(Array.from({ length: 3 }, () => 'webp 1024x1024'));
  });

  test('is converted in the images of a fan-out', async () => {
    const { url } = await startRig();
    const request = { model: 'dall-e-3', prompt: 'a cat', n: 2, output_format: 'jpeg', response_format: 'b64_json' };
    const called = await callGateway(url, request);
    const { data } = imagesIn(called);
    expect(await Promise.all(data.map(({ b64_json }) => decoded(b64_json)))).toEqual([
      'jpeg 1024x1024',
      'jpeg 1024x1024',
    ]);
    expect(called.headers.get('x-gateway-adapted')).toContain('output_format=png>jpeg');
  });

  test('is converted in a stream, partial images included', async () => {
    const { url } = await startRig();
    const { events, headers } = await streamGateway(url, {
      prompt: 'a cat',
      partial_images: 2,
      output_format: 'webp',
    });
    expect(events.map(inWords)).toEqual(['partial 0', 'partial 1', 'completed']);
    for (const { data } of events) {
      expect(await decoded(data.b64_json)).toBe('webp 1024x1024');
      expect(data.output_format).toBe('webp');
    }
    expect(headers.get('x-gateway-adapted')).toBe('output_format=png>webp');
  });

  test('is converted before it is hosted', async () => {
    const { url } = await startRig({ dataDir: await temporaryDirectory() });
    const called = await callGateway(url, { prompt: 'a cat', output_format: 'webp', response_format: 'url' });
    const link = imagesIn(called).data[0]?.url ?? '';
    expect(link).toMatch(/\.webp$/);
    const file = await fetch(link);
    expect(file.headers.get('content-type')).toBe('image/webp');
    expect(await decoded(Buffer.from(await file.arrayBuffer()).toString('base64'))).toBe('webp 1024x1024');
  });

  test('is converted from what is behind the links of a family that gives links', async () => {
    const { url } = await startRig();
    const { data } = imagesIn(await callGateway(url, { model: 'dall-e-2', prompt: 'a cat', output_format: 'webp' }));
    expect(await decoded(data[0]?.b64_json)).toBe('webp 1024x1024');
  });

  test('is converted again the same when the response of a key is replayed', async () => {
    const { url, paidPosts } = await startRig({ dataDir: await temporaryDirectory() });
    const request = { prompt: 'a cat', output_format: 'webp' };
    const keyed = { headers: { 'idempotency-key': 'a key of the test' } };
    const [first, second] = [await callGateway(url, request, keyed), await callGateway(url, request, keyed)];
    expect(second.text).toBe(first.text);
    expect(imagesIn(second)).toMatchObject({ output_format: 'webp' });
    expect(paidPosts()).toHaveLength(1);
  });
});

test('a transparent jpeg is made of a transparent png, on white', async () => {
  const { url, paidPosts } = await startRig();
  const request = { model: 'studio/poster', prompt: 'a cat', background: 'transparent', output_format: 'jpeg' };
  const called = await callGateway(url, request);
  const { data, ...facts } = imagesIn(called);
  const image = sharp(Buffer.from(data[0]?.b64_json ?? '', 'base64'));
  const corner = await image.extract({ left: 0, top: 0, width: 1, height: 1 }).raw().toBuffer();
  expect([...corner].every((value) => value > 250)).toBe(true);
  expect(facts).toMatchObject({ output_format: 'jpeg', background: 'opaque' });
  expect(called.headers.get('x-gateway-adapted')).toBe('output_format=png>jpeg');
  expect(paidPosts()[0]?.body).toMatchObject({ background: 'transparent' });
});

test('a stream of a transparent jpeg says that it is opaque, also when it is replayed', async () => {
  const { url } = await startRig({ dataDir: await temporaryDirectory() });
  const request = { model: 'studio/poster', prompt: 'a cat', background: 'transparent', output_format: 'jpeg' };
  const key = { headers: { 'idempotency-key': 'once' } };
  imagesIn(await callGateway(url, request, key));
  const replayed = await callGateway(url, { ...request, stream: true }, key);
  expect([replayed.status, replayed.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
  expect(replayed.text).toContain('"output_format":"jpeg"');
  expect(replayed.text).toContain('"background":"opaque"');
});

test('an image that cannot be converted was paid for: an error that says so, and no second call', async () => {
  const { url, paidPosts } = await startRig({ modelKeys: { maxRetries: 2 } });
  const called = await callGateway(url, { prompt: 'simulate:not-an-image', output_format: 'webp' });
  expect(called.status).toBe(502);
  expect(JSON.parse(called.text).error).toMatchObject({ code: 'upstream_invalid_response' });
  expect(paidPosts()).toHaveLength(1);
});

describe('without the package sharp', () => {
  test('the request is a 400 that says how it could be had, and nothing is paid for', async () => {
    const { url, paidPosts } = await startRig({ sharp: 'unused' });
    const called = await callGateway(url, { prompt: 'a cat', output_format: 'webp' });
    expect(called.status).toBe(400);
    const { error } = JSON.parse(called.text);
    expect(error).toMatchObject({ param: 'output_format', code: 'invalid_value' });
    expect(error.message).toContain('sharp');
    expect(paidPosts()).toEqual([]);
  });

  test('a default of the operator yields', async () => {
    const defaults = { defaults: { output_format: 'webp' } };
    const { url } = await startRig({ sharp: 'unused', modelKeys: defaults });
    const { data } = imagesIn(await callGateway(url, { prompt: 'a cat' }));
    expect(await decoded(data[0]?.b64_json)).toBe('png 1024x1024');
  });
});

test('strict refuses what would have to be converted', async () => {
  const { url, paidPosts } = await startRig({ modelKeys: { parameters: 'strict' } });
  const called = await callGateway(url, { prompt: 'a cat', output_format: 'webp' });
  expect(called.status).toBe(400);
  expect(JSON.parse(called.text).error).toMatchObject({ param: 'output_format' });
  expect(paidPosts()).toEqual([]);
});
