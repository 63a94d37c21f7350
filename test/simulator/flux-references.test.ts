import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { padImage } from '../../simulator/pad-image.ts';
import { type Caller, json, openCaller, type ReceivedResponse } from './call-simulator.ts';
import { sizeOf } from './size-of.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const api = '/providers/blackforestlabs/v1/';
const megabyte = 1024 * 1024;

const plain = (background: string, format: 'png' | 'jpeg' | 'webp' | 'gif' = 'png') =>
  sharp({ create: { width: 96, height: 64, channels: 3, background } })
    .toFormat(format)
    .toBuffer();
const [red, blue, webp, gif] = await Promise.all([
  plain('#f00'),
  plain('#00f'),
  plain('#f00', 'webp'),
  plain('#f00', 'gif'),
]);
const large = Buffer.concat(padImage(red, 'png', 50));
const text = Buffer.from('This is a text and not an image.');
const base64 = (bytes: Buffer) => bytes.toString('base64');

const draw = (members: object, path = 'flux-2-pro', model = 'FLUX.2-pro-mine') =>
  caller.call('POST', `${api}${path}?api-version=preview`, { model, prompt: 'a hat', ...members });
const references = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      index === 0 ? 'input_image' : `input_image_${index + 1}`,
      base64(red),
    ]),
  );

/** The colour in the upper left corner, where no caption is. */
async function cornerOf(response: ReceivedResponse): Promise<string> {
  const made = sharp(Buffer.from(json(response).data[0].b64_json, 'base64'));
  const [r = 0, , b = 0] = await made.extract({ left: 2, top: 2, width: 1, height: 1 }).raw().toBuffer();
  return r > b ? 'red' : 'blue';
}

describe('the references of FLUX', () => {
  test('are drawn over in the requested size, the first one, in whichever order they come', async () => {
    const edges = { width: 512, height: 256, output_format: 'png' };
    const one = await draw({ ...edges, input_image: base64(red), input_image_2: base64(blue) });
    const other = await draw({ input_image_2: base64(red), input_image: base64(blue), ...edges });
    expect(await sizeOf(json(one).data[0].b64_json)).toBe('png 512x256');
    expect([await cornerOf(one), await cornerOf(other)]).toEqual(['red', 'blue']);
    expect(caller.simulator.ledger.counts()).toMatchObject({
      billedByOperation: { edit: 2 },
      billedByFlow: { flux: 2 },
      billedByDeployment: { 'FLUX.2-pro-mine': 2 },
    });
  });

  test('are recorded by their digests, however large they are', async () => {
    const response = await draw({ input_image: base64(large), input_image_2: base64(webp) });
    expect(response.status).toBe(200);
    const record = (bytes: Buffer) => ({
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(caller.simulator.ledger.requests.map(({ body }) => body)).toEqual([
      { model: 'FLUX.2-pro-mine', prompt: 'a hat', input_image: record(large), input_image_2: record(webp) },
    ]);
  });

  test.each([
    ['flux-2-pro', 'FLUX.2-pro', 8],
    ['flux-2-flex', 'FLUX.2-flex', 10],
    ['flux-kontext-pro', 'FLUX.1-Kontext-pro', 1],
    ['flux-pro-1.1', 'FLUX-1.1-pro', 0],
  ])('are at %s, for %s, %i at most', async (path, model, max) => {
    expect((await draw(references(max), path, model)).status).toBe(200);
    const refused = await draw(references(max + 1), path, model);
    const param = max === 0 ? 'input_image' : `input_image_${max + 1}`;
    expect([refused.status, json(refused).error]).toMatchObject([400, { code: 'unknown_parameter', param }]);
  });

  test.each<[string, unknown]>([
    ['a data URL', `data:image/png;base64,${base64(red)}`],
    ['a link', 'https://images.example.invalid/a.png'],
    ['no base64', 'not an image at all!'],
    ['an empty text', ''],
    ['null', null],
    ['a list', [base64(red)]],
    ['a text', base64(text)],
    ['a cut image', base64(red.subarray(0, -30))],
    ['gif', base64(gif)],
  ])('are refused when they are %s, the first and any other', async (_name, value) => {
    for (const [name, members] of Object.entries({
      input_image: { input_image: value },
      input_image_3: { input_image: base64(red), input_image_2: base64(red), input_image_3: value },
    })) {
      const response = await draw(members);
      expect([response.status, json(response).error.param]).toEqual([400, name]);
    }
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 2 });
  });

  test('may not make a body of more than 256 MB', async () => {
    const socket = connect(Number(new URL(caller.simulator.origin).port), '127.0.0.1');
    const head = ['host: 127.0.0.1', 'api-key: test-key', 'content-type: application/json'];
    const target = `POST ${api}flux-2-flex?api-version=preview HTTP/1.1`;
    socket.write(`${[target, ...head, `content-length: ${256 * megabyte + 1}`].join('\r\n')}\r\n\r\n`);
    const [first] = await once(socket, 'data');
    socket.destroy();
    await once(socket, 'close');
    expect(String(first).split('\r\n', 1)).toEqual(['HTTP/1.1 413 Payload Too Large']);
  });
});

describe('the shape of a FLUX image', () => {
  test.each([
    [{ aspect_ratio: '16:9' }, 'jpeg 1360x768'],
    [{ aspect_ratio: '1:1', output_format: 'png' }, 'png 1024x1024'],
    [{ aspect_ratio: '9:16', width: 640 }, 'jpeg 640x1024'],
    [{ width: 2048, height: 2048 }, 'jpeg 2048x2048'],
    [{ width: 64 }, 'jpeg 64x1024'],
  ])('follows %j', async (members, looks) => {
    expect(await sizeOf(json(await draw(members)).data[0].b64_json)).toBe(looks);
  });

  test.each([
    [{ aspect_ratio: '16/9' }, 'aspect_ratio'],
    [{ aspect_ratio: '0:1' }, 'aspect_ratio'],
    [{ aspect_ratio: '0:0' }, 'aspect_ratio'],
    [{ aspect_ratio: '30:1' }, 'aspect_ratio'],
    [{ width: 2064, height: 2048 }, 'width'],
    [{ width: 8192 }, 'width'],
    [{ width: 0 }, 'width'],
    [{ height: '512' }, 'height'],
    [{ height: null }, 'height'],
    [{ guidance: 4 }, 'guidance'],
    [{ steps: 20 }, 'steps'],
    [{ num_images: 11 }, 'num_images'],
    [{ seed: 'x' }, 'seed'],
    [{ safety_tolerance: 2.5 }, 'safety_tolerance'],
    [{ prompt: '' }, 'prompt'],
    [{ prompt: undefined }, 'prompt'],
  ])('is refused with %j', async (members, param) => {
    const response = await draw(members);
    expect([response.status, json(response).error.param]).toEqual([400, param]);
  });

  test('num_images is for FLUX.2 only', async () => {
    const response = await draw({ num_images: 1 }, 'flux-kontext-pro', 'FLUX.1-Kontext-pro');
    expect([response.status, json(response).error.code]).toEqual([400, 'unknown_parameter']);
  });
});
