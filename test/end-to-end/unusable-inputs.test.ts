import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { opaqueHeic } from '../fixtures/heic.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { editForm, expectError, expectHarmless, expectNothingLeft, file, pngImage, post, startEdits } from './edits.ts';
import { startUpstream, tinyPng } from './rig.ts';

// Images that must not be decoded, or cannot be: the deployment takes PNG and JPEG, so all others would have to be converted.
const pickyModel = { modelKeys: { capabilities: { inputTypes: ['image/png', 'image/jpeg'] } } };

const frame = (background: string) => ({ create: { width: 16, height: 16, channels: 3 as const, background } });

function animated(type: 'gif' | 'webp'): Promise<Buffer> {
  return sharp(['red', 'blue'].map((colour) => ({ ...frame(colour) })) as never, { join: { animated: true } })
    .toFormat(type)
    .toBuffer();
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** A correct grey PNG of 60 megapixels, in some kilobytes. */
function hugePng(): Buffer {
  const [width, height] = [10_000, 6_000];
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 0, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.alloc((width + 1) * height));
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
}

/** The same GIF with another screen size in its header. */
async function hugeGif(): Promise<Buffer> {
  const gif = await sharp(await pngImage())
    .gif()
    .toBuffer();
  gif.writeUInt16LE(0xffff, 6);
  gif.writeUInt16LE(0xffff, 8);
  return gif;
}

/** A lossy WebP whose header says that it has 16383² pixels. */
async function hugeWebp(): Promise<Buffer> {
  const webp = await sharp(await pngImage())
    .webp()
    .toBuffer();
  webp.writeUInt16LE(0x3fff, 26);
  webp.writeUInt16LE(0x3fff, 28);
  return webp;
}

/** The same HEIC with another size in its properties. */
function hugeHeic(): Buffer {
  const heic = Buffer.from(opaqueHeic);
  const at = heic.indexOf('ispe', 0, 'latin1');
  heic.writeUInt32BE(20_000, at + 8);
  heic.writeUInt32BE(20_000, at + 12);
  return heic;
}

const noise = { create: { width: 256, height: 256, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 50 } } };
const noisy = () => sharp(noise as never);
const half = (bytes: Buffer) => bytes.subarray(0, bytes.length / 2);

const svg = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
);

describe('refused before anything is paid for', () => {
  test.each<[string, () => Promise<Buffer> | Buffer, RegExp]>([
    ['an empty file', () => Buffer.alloc(0), /is empty/],
    ['SVG', () => svg, /is not a PNG/],
    ['SVG behind a declaration', () => Buffer.concat([Buffer.from('<?xml version="1.0"?>'), svg]), /is not a PNG/],
    ['SVG behind the signature of a GIF', () => Buffer.concat([Buffer.from('GIF89a\x10\0\x10\0'), svg]), /decoded/],
    [
      'TIFF',
      async () =>
        sharp(await pngImage())
          .tiff()
          .toBuffer(),
      /is not a PNG/,
    ],
    ['an animated WebP', () => animated('webp'), /2 frames/],
    ['an animated GIF', () => animated('gif'), /2 frames/],
    ['a WebP cut in its middle', async () => half(await noisy().webp().toBuffer()), /decoded/],
    ['a GIF cut in its middle', async () => half(await noisy().gif().toBuffer()), /decoded/],
    ['an AVIF cut in its middle', async () => half(await noisy().avif().toBuffer()), /decoded/],
    ['a HEIC cut in its middle', () => opaqueHeic.subarray(0, opaqueHeic.length - 100), /decoded/],
    ['a PNG of 60 megapixels', hugePng, /50000000 pixels/],
    ['a GIF with a huge screen', hugeGif, /50000000 pixels/],
    ['a WebP of 16383 x 16383 pixels', hugeWebp, /50000000 pixels/],
    ['a HEIC of 20000 x 20000 pixels', hugeHeic, /50000000 pixels/],
  ])('%s', async (_name, make, reason) => {
    const rig = await startEdits(pickyModel);
    const response = await post(rig.url, editForm([file('image', await make())]));
    expectError(response, 400, 'invalid_image_file', 'image');
    expect(response.json().error.message).toMatch(reason);
    expect(rig.simulator.ledger.requests).toEqual([]);
    await expectNothingLeft(rig);
    await expectHarmless(rig);
  });
});

test('an animated WebP goes to a target that takes it as it is, where another one cannot get it', async () => {
  const body = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });
  const upstream = await startUpstream((_request, response) => void response.end(body));
  const common = { baseURL: upstream.origin, apiKey: 'key' };
  const targets = [
    { ...common, name: 'mai', provider: 'mai', model: 'MAI-Image-2.6' },
    { ...common, name: 'gpt', provider: 'azure-v1', model: 'gpt-image-2', priority: 1 },
  ];
  const gateway = await startGateway({ defaultModel: 'image', models: { image: { targets } } });
  const response = await post(gateway.url, editForm([file('image', await animated('webp'))]));
  expect([response.status, response.headers.get('x-gateway-target')]).toEqual([200, 'gpt']);
  expect(response.headers.get('x-gateway-adapted')).toBeNull();
});

test('an animated WebP goes on as it is to a family that takes WebP', async () => {
  const rig = await startEdits();
  expect((await post(rig.url, editForm([file('image', await animated('webp'))]))).status).toBe(200);
});

test('odd images that the family takes go on as they are', async () => {
  const rig = await startEdits(pickyModel);
  const plain = sharp(await pngImage());
  const odd = [
    await plain.clone().toColourspace('cmyk').jpeg().toBuffer(),
    await plain.clone().toColourspace('rgb16').png().toBuffer(),
    await plain.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  ];
  const response = await post(rig.url, editForm(odd.map((bytes) => file('image[]', bytes))));
  expect([response.status, response.headers.get('x-gateway-adapted')]).toEqual([200, null]);
});
