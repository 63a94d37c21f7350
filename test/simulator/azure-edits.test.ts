import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { padImage } from '../../simulator/pad-image.ts';
import { type ScenarioDescription, scenarios } from '../../simulator/scenarios.ts';
import { type Caller, json, openCaller, type ReceivedResponse } from './call-simulator.ts';
import { readEvents } from './read-events.ts';
import { type FormPart, fields, formHeaders, writeForm } from './write-form.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const v1 = '/openai/v1/images/edits';
const megabyte = 1024 * 1024;

type Format = 'png' | 'jpeg' | 'webp';
const plain = (background: string, format: Format = 'png', [width, height] = [96, 64]) =>
  sharp({ create: { width: width ?? 1, height: height ?? 1, channels: 3, background } })
    .toFormat(format)
    .toBuffer();
const overlay = (width = 96, height = 64) =>
  sharp({ create: { width, height, channels: 4, background: '#00000000' } })
    .png()
    .toBuffer();

const [red, blue, jpeg, webp, seeThrough, upright] = await Promise.all([
  plain('#f00'),
  plain('#00f'),
  plain('#f00', 'jpeg'),
  plain('#f00', 'webp'),
  overlay(),
  overlay(64, 96),
]);
const text = Buffer.from('This is a text and not an image.');
const noisy = padImage(red, 'png', 9);

const file = (name: string, bytes: Buffer, filename = 'a.png', type = 'image/png'): FormPart => ({
  name,
  bytes,
  filename,
  type,
});
const image = file('image', red);
const mask = file('mask', seeThrough, 'mask.png');
const prompt = fields({ prompt: 'a hat' });

const edit = (
  values: Record<string, string>,
  files: readonly FormPart[] = [image],
  deployment = 'gpt-image-1.5-mine',
) => caller.edit(deployment, [...fields({ prompt: 'a hat', ...values }), ...files]);

const imageOf = (response: ReceivedResponse) => Buffer.from(json(response).data[0].b64_json, 'base64');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** The colour in the upper left corner, where no caption is. */
async function cornerOf(made: Buffer): Promise<number[]> {
  const { data } = await sharp(made)
    .extract({ left: 2, top: 2, width: 1, height: 1 })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return [...data];
}

describe('an edit', () => {
  test('shows the image that came in, in the requested size, and bills an edit', async () => {
    const response = await edit({ size: '1536x1024', n: '2' });
    expect(response.status).toBe(200);
    expect(Object.keys(json(response)).sort()).toEqual(['created', 'data', 'usage']);
    expect(json(response).data).toHaveLength(2);
    const { width, height, format } = await sharp(imageOf(response)).metadata();
    expect([width, height, format]).toEqual([1536, 1024, 'png']);
    expect((await cornerOf(imageOf(response))).slice(0, 3)).toEqual([255, 0, 0]);
    expect(caller.simulator.ledger.counts()).toMatchObject({ images: 2, received: 1, billedByOperation: { edit: 1 } });
    expect(caller.simulator.ledger.generations).toMatchObject([{ operation: 'edit', prompt: 'a hat', images: 2 }]);
  });

  test('is the same for the same input, and another one for another input, index or prompt', async () => {
    const [first, again, other, words] = await Promise.all([
      edit({ n: '2' }),
      edit({ n: '2' }),
      edit({ n: '2' }, [file('image', blue)]),
      edit({ n: '2', prompt: 'a scarf' }),
    ]);
    const madeImages = [first, other, words].flatMap((response) =>
      json(response).data.map((item: object) => JSON.stringify(item)),
    );
    expect(json(again).data).toEqual(json(first).data);
    expect(new Set(madeImages).size).toBe(6);
  });

  test('counts the tokens of its input images', async () => {
    const usageOf = async (files: readonly FormPart[]) => json(await edit({}, files)).usage;
    const one = await usageOf([image, mask]);
    const three = await usageOf([red, blue, red].map((bytes) => file('image[]', bytes)));
    expect(one.input_tokens_details).toEqual({ text_tokens: 2, image_tokens: 250 });
    expect(three.input_tokens_details).toEqual({ text_tokens: 2, image_tokens: 750 });
    expect(three.total_tokens).toBe(three.input_tokens + three.output_tokens);
  });

  test.each([
    ['jpeg', { output_format: 'jpeg', output_compression: '80' }, 'jpeg', true],
    ['a free size', { size: '1600x640' }, 'png', true],
    ['a transparent background', { background: 'transparent' }, 'png', false],
  ])('makes %s', async (_name, values, format, isOpaque) => {
    const made = imageOf(await edit(values, [image], 'gpt-image-2'));
    expect((await sharp(made).metadata()).format).toBe(format);
    expect((await sharp(made).stats()).isOpaque).toBe(isOpaque);
  });

  test('takes jpeg and webp, by their type, their bytes and the end of their name', async () => {
    const files = [file('image[0]', jpeg, 'a.JPG', 'image/jpeg'), file('image[1]', webp, 'b.webp', 'image/webp')];
    expect((await edit({}, files)).status).toBe(200);
  });

  test('written by fetch and FormData is taken on the v1 path, with echo and filter results', async () => {
    const form = new FormData();
    for (const [name, value] of Object.entries({ model: 'gpt-image-2-mine', prompt: 'a hat', quality: 'low' })) {
      form.append(name, value);
    }
    form.append('image[]', new File([red as Uint8Array<ArrayBuffer>], 'a.png', { type: 'image/png' }));
    form.append('image[]', new File([jpeg as Uint8Array<ArrayBuffer>], 'b.jpg', { type: 'image/jpeg' }));
    form.append('mask', new File([seeThrough as Uint8Array<ArrayBuffer>], 'm.png', { type: 'image/png' }));
    const url = `${caller.simulator.origin}${v1}`;
    const response = await fetch(url, { method: 'POST', headers: { 'api-key': 'test-key' }, body: form });
    expect(response.status).toBe(200);
    const body = (await response.json()) as { data: [object] };
    expect(body).toMatchObject({ quality: 'low', size: '1024x1024', output_format: 'png' });
    expect(Object.keys(body.data[0]).sort()).toEqual(['b64_json', 'content_filter_results', 'prompt_filter_results']);
    expect(caller.simulator.ledger.counts()).toMatchObject({
      billedByFlow: { 'azure-v1': 1 },
      billedByDeployment: { 'gpt-image-2-mine': 1 },
    });
  });

  test('is recorded as its fields and files, in their order', async () => {
    await edit({ n: '1', quality: 'low' }, [mask, file('image[]', red, 'x/a.png'), file('image[]', blue, 'b.png')]);
    expect(caller.simulator.ledger.requests.map(({ body }) => body)).toEqual([
      {
        fields: [
          ['prompt', 'a hat'],
          ['n', '1'],
          ['quality', 'low'],
        ],
        files: [
          {
            part: 'mask',
            filename: 'mask.png',
            contentType: 'image/png',
            bytes: seeThrough.length,
            sha256: sha256(seeThrough),
          },
          { part: 'image[]', filename: 'x/a.png', contentType: 'image/png', bytes: red.length, sha256: sha256(red) },
          { part: 'image[]', filename: 'b.png', contentType: 'image/png', bytes: blue.length, sha256: sha256(blue) },
        ],
      },
    ]);
  });
});

describe('the images of an edit', () => {
  const list = (count: number) => Array.from({ length: count }, () => file('image[]', red));
  const numbered = (...numbers: readonly number[]) => numbers.map((number) => file(`image[${number}]`, red));
  const cut = red.subarray(0, -30);
  const invalid = 'invalid_image_file';

  test.each([
    ['one of a list', list(1)],
    ['sixteen', list(16)],
    ['numbered', numbered(0, 1, 2)],
    ['with a mask', [image, mask]],
    ['with the mask first', [mask, image]],
  ])('are accepted: %s', async (_name, files) => {
    expect((await edit({}, files)).status).toBe(200);
  });

  test.each<[string, readonly FormPart[], string, string]>([
    ['none', [], 'missing_required_parameter', 'image'],
    ['only a mask', [mask], 'missing_required_parameter', 'image'],
    ['seventeen', list(17), invalid, 'image'],
    ['image twice', [image, image], invalid, 'image'],
    ['two kinds of names', [image, ...list(1)], invalid, 'image'],
    ['numbered from 1', numbered(1, 2), invalid, 'image'],
    ['a file of another name', [image, file('photo', red)], 'unknown_parameter', 'photo'],
    ['a field as a file', [image, file('prompt', text, 'p.txt', 'text/plain')], 'unknown_parameter', 'prompt'],
    ['no content type', [{ name: 'image', bytes: red, filename: 'a.png' }], 'unsupported_file_mimetype', 'image'],
    ['gif', [file('image', red, 'a.gif', 'image/gif')], 'unsupported_file_mimetype', 'image'],
    ['no file name', [{ name: 'image', bytes: red, type: 'image/png' }], invalid, 'image'],
    ['a file name without extension', [file('image', red, 'blob')], invalid, 'image'],
    ['an extension of another type', [file('image', red, 'a.jpg')], invalid, 'image'],
    ['another type than the bytes', [file('image', red, 'a.webp', 'image/webp')], invalid, 'image'],
    ['a text', [file('image', text)], invalid, 'image'],
    ['an empty file', [file('image', Buffer.alloc(0))], invalid, 'image'],
    ['a cut image', [file('image', cut)], invalid, 'image'],
    ['a second image that is cut', [...list(1), file('image[]', cut)], invalid, 'image'],
    ['two masks', [image, mask, mask], invalid, 'mask'],
    ['a mask without alpha', [image, file('mask', blue)], invalid, 'mask'],
    ['a mask of another size', [image, file('mask', upright)], invalid, 'mask'],
    ['a mask of another type', [image, file('mask', webp, 'm.webp', 'image/webp')], invalid, 'mask'],
    ['a mask of 4 MB', [image, file('mask', Buffer.concat(padImage(seeThrough, 'png', 4)))], invalid, 'mask'],
    ['markup', [image, file('markup', seeThrough)], 'unknown_parameter', 'markup'],
  ])('are refused: %s', async (_name, files, code, param) => {
    const response = await edit({}, files);
    expect([response.status, json(response).error]).toEqual([400, expect.objectContaining({ code, param })]);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 1 });
  });

  test('of an octet-stream are refused in the words of Azure', async () => {
    const response = await edit({}, [file('image', red, 'a.png', 'application/octet-stream')]);
    expect([response.status, json(response).error.message]).toEqual([
      400,
      expect.stringContaining("Invalid file 'image': unsupported mimetype ('application/octet-stream')"),
    ]);
  });

  test('may have markup over them with gpt-image-2.5, and then no mask', async () => {
    const markup = file('markup', seeThrough, 'm.png');
    expect((await edit({}, [image, markup], 'gpt-image-2.5')).status).toBe(200);
    expect(json(await edit({}, [image, markup, mask], 'gpt-image-2.5')).error.code).toBe('invalid_image_file');
  });

  test('may be larger than what is kept of them, and are hashed whole', async () => {
    const bytes = Buffer.concat(noisy);
    const response = await edit({}, [file('image[]', bytes), file('image[]', bytes)]);
    expect(response.status).toBe(200);
    const record = { bytes: red.length + 9 * megabyte, sha256: sha256(bytes) };
    expect(caller.simulator.ledger.requests).toMatchObject([{ body: { files: [record, record] } }]);
  });

  test('must be smaller than 50 MB', async () => {
    const bytes = Buffer.concat(padImage(red, 'png', 50));
    expect(json(await edit({}, [file('image', bytes)])).error.message).toContain('smaller than 50 MB');
  });
});

describe('the fields of an edit', () => {
  test.each([
    ['every one of them', { n: '1', size: 'auto', quality: 'auto', background: 'auto', moderation: 'low', user: 'u' }],
    ['numbers and booleans as text', { stream: 'false', n: '3' }],
    ['booleans with a capital', { stream: 'False' }],
    ['input_fidelity', { input_fidelity: 'high' }],
    ['the canonical model', { model: 'gpt-image-1.5' }],
  ])('are accepted: %s', async (_name, values) => {
    expect((await edit(values)).status).toBe(200);
  });

  test.each([
    ['response_format', { response_format: 'b64_json' }, 'unknown_parameter'],
    ['style', { style: 'vivid' }, 'unknown_parameter'],
    ['seed', { seed: '1' }, 'unknown_parameter'],
    ['webp', { output_format: 'webp' }, 'invalid_value'],
    ['n 11', { n: '11' }, 'invalid_value'],
    ['n in words', { n: 'two' }, 'invalid_value'],
    ['n empty', { n: '' }, 'invalid_value'],
    ['n null', { n: 'null' }, 'invalid_value'],
    ['stream 1', { stream: '1' }, 'invalid_value'],
    ['input_fidelity low and high', { input_fidelity: 'medium' }, 'invalid_value'],
    ['partial_images without stream', { partial_images: '2' }, 'invalid_value'],
    ['a stream of two', { stream: 'true', n: '2' }, 'unsupported_parameter'],
    ['model as deployment', { model: 'gpt-image-1.5-mine' }, 'invalid_value'],
    ['an empty prompt', { prompt: '' }, 'invalid_value'],
    ['an unknown scenario', { prompt: 'simulate:flood' }, 'unknown_scenario'],
    ['a scenario of another flow', { prompt: 'simulate:operation-failed' }, 'scenario_out_of_reach'],
  ])('are refused: %s', async (_name, values, code) => {
    const response = await edit(values);
    expect([response.status, json(response).error.code]).toEqual([400, code]);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 1 });
  });

  test.each([
    ['no prompt', [image], 'missing_required_parameter'],
    ['a prompt twice', [...prompt, ...prompt, image], 'duplicate_parameter'],
    ['a field after a file', [...prompt, image, ...fields({ n: '1' })], 'field_after_file'],
    ['an image that is a field', [...prompt, ...fields({ image: 'a.png' })], 'unsupported_file_mimetype'],
    ['the name of a prototype', [...prompt, ...fields({ constructor: '1' }), image], 'FST_PROTO_VIOLATION'],
  ])('are refused: %s', async (_name, parts, code) => {
    const response = await caller.edit('gpt-image-2', parts);
    expect([response.status, json(response).error.code]).toEqual([400, code]);
  });

  test.each([
    ['gpt-image-1', 'high', undefined],
    ['gpt-image-1-mini', 'low', undefined],
    ['gpt-image-1-mini', 'high', 'invalid_value'],
    ['gpt-image-2', 'low', 'invalid_input_fidelity_model'],
    ['gpt-image-2.5', 'low', undefined],
    ['FLUX.1-Kontext-pro', 'low', 'unknown_parameter'],
  ])('%s responses to input_fidelity %s: %s', async (deployment, input_fidelity, code) => {
    expect(json(await edit({ input_fidelity }, [image], deployment)).error?.code).toBe(code);
  });

  test('input_fidelity is unknown to generations', async () => {
    const response = await caller.generate('gpt-image-1', { prompt: 'a cat', input_fidelity: 'high' });
    expect(json(response).error.code).toBe('unknown_parameter');
  });
});

describe('addresses', () => {
  test.each([
    ['gpt-image-1', '2025-04-01-preview', 200],
    ['gpt-image-1', 'preview', 200],
    ['gpt-image-1', '2025-04-01', 404],
    ['gpt-image-1', '2024-10-21', 404],
    ['gpt-image-1', '2025-03-01-preview', 404],
    ['FLUX-1.1-pro', 'preview', 200],
    ['dall-e-3', '2024-10-21', 404],
    ['dall-e-3', '2025-04-01-preview', 400],
    ['dall-e-2', '2025-04-01-preview', 400],
    ['sora-2', '2025-04-01-preview', 404],
  ])('%s under %s responds with %i', async (deployment, apiVersion, status) => {
    expect((await caller.edit(deployment, [...prompt, image], apiVersion)).status).toBe(status);
  });

  test('without edits name the reason', async () => {
    const code = async (deployment: string, apiVersion?: string) =>
      json(await caller.edit(deployment, [...prompt, image], apiVersion)).error.code;
    expect(await code('gpt-image-1', '2024-10-21')).toBe('404');
    expect(await code('dall-e-3')).toBe('OperationNotSupported');
    expect(await code('sora-2')).toBe('DeploymentNotFound');
  });

  test('on v1 the model is required, is the deployment, and is no FLUX', async () => {
    const send = (values: Record<string, string>) =>
      caller.send(v1, formHeaders, writeForm([...fields({ prompt: 'a hat', ...values }), image]));
    expect((await send({ model: 'gpt-image-2-mine' })).status).toBe(200);
    expect(json(await send({})).error.message).toBe('Unknown model');
    expect(json(await send({ model: 'sora' })).error.code).toBe('DeploymentNotFound');
    expect(json(await send({ model: 'FLUX-1.1-pro' })).error.code).toBe('OperationNotSupported');
    expect((await send({ model: 'gpt-image-2--429-none' })).status).toBe(429);
  });

  test('want a key before anything else', async () => {
    const response = await caller.send(v1, { 'api-key': 'wrong' }, Buffer.from('{}'));
    expect([response.status, caller.simulator.ledger.received]).toEqual([401, 0]);
  });

  test.each(['application/json', 'text/html'])('refuse %s as Azure does', async (type) => {
    const target = '/openai/deployments/gpt-image-2/images/edits?api-version=preview';
    for (const path of [target, v1]) {
      const response = await caller.send(path, { 'content-type': type }, Buffer.from('{"prompt":"a hat"}'));
      expect([response.status, json(response).error]).toEqual([
        400,
        expect.objectContaining({ code: 'unsupported_content_type', message: expect.stringContaining(`'${type}'`) }),
      ]);
    }
  });
});

describe('broken forms', () => {
  test.each([
    ['without a boundary', { 'content-type': 'multipart/form-data' }, writeForm([...prompt, image])],
    ['of another boundary', { 'content-type': 'multipart/form-data; boundary=other' }, writeForm([...prompt, image])],
    ['cut in a file', formHeaders, writeForm([...prompt, file('image', noisy[1] ?? text)]).subarray(0, 300_000)],
    ['with too many files', formHeaders, writeForm([...prompt, ...Array.from({ length: 40 }, () => image)])],
  ])('%s are refused and not counted as received', async (_name, headers, body) => {
    const response = await caller.send(`${v1}?api-version=preview`, headers, body);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(json(response).error.message).toBeTypeOf('string');
    expect(caller.simulator.ledger.received).toBe(0);
  });

  test('whose sender disconnects halfway are neither received nor billed, and harm nobody', async () => {
    const socket = connect(Number(new URL(caller.simulator.origin).port), '127.0.0.1');
    const body = writeForm([...prompt, file('image', Buffer.concat(noisy))]);
    const head = [`POST ${v1} HTTP/1.1`, 'host: 127.0.0.1', 'api-key: test-key', `content-length: ${body.length}`];
    socket.write(`${[...head, `content-type: ${formHeaders['content-type']}`].join('\r\n')}\r\n\r\n`);
    socket.write(body.subarray(0, 2 * megabyte));
    await expect.poll(() => caller.simulator.ledger.requests.length).toBe(1);
    socket.destroy();
    await once(socket, 'close');
    expect((await edit({})).status).toBe(200);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 1, received: 1, requests: 2 });
  });
});

describe('a streamed edit', () => {
  test('has event names of its own, and ends with the very image that comes without stream', async () => {
    const response = await edit({ stream: 'true', partial_images: '2' });
    expect(response.headers['content-type']).toBe('text/event-stream');
    const events = readEvents(response.bytes);
    expect(events.map(({ name }) => name)).toEqual([
      'image_edit.partial_image',
      'image_edit.partial_image',
      'image_edit.completed',
    ]);
    const values = events.map(({ data }) => JSON.parse(data));
    expect(values.map(({ type }) => type)).toEqual(events.map(({ name }) => name));
    expect(values.at(-1).usage.input_tokens_details.image_tokens).toBeGreaterThan(0);
    expect(values.at(-1).b64_json).toBe(json(await edit({})).data[0].b64_json);
  });
});

describe('scenarios', () => {
  const table: readonly ScenarioDescription[] = scenarios;
  const playable = (reaches: readonly string[]) =>
    table
      .filter(({ name, reach }) => reaches.includes(reach) && !/hang|stall/.test(name))
      .map(({ name, value }) => (value?.unit === 'milliseconds' ? `${name}-5` : name));

  /** What a response looks like, without what differs from call to call and between the operations. */
  const shapeOf = (response: ReceivedResponse): string =>
    response.bytes
      .toString()
      .replace(/image_(edit|generation)/g, 'image')
      .replace(/"(b64_json|url)":\s*"[^"]*"?/g, '"$1"')
      .replace(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, 'uuid')
      .replace(/\d+/g, '0')
      .slice(0, 5_000);
  const outcome = async (call: Promise<ReceivedResponse>) => {
    try {
      const response = await call;
      return [response.status, response.headers['content-type'], shapeOf(response)];
    } catch {
      return ['truncated'];
    }
  };

  test.each(playable(['all', 'synchronous', 'gpt-image']))(
    '%s does the same to an edit as to a generation',
    async (name) => {
      const words = { prompt: `simulate:${name}` };
      const one = await outcome(caller.generate('gpt-image-2', words));
      expect(await outcome(edit(words, [image], 'gpt-image-2'))).toEqual(one);
      const { billedByOperation } = caller.simulator.ledger.counts();
      expect(billedByOperation.edit).toBe(billedByOperation.generate);
    },
  );

  test.each(playable(['stream']))('%s does the same to a streamed edit', async (name) => {
    const one = await outcome(
      caller.generate(`gpt-image-2--${name}`, { prompt: 'a hat', stream: true, partial_images: 1 }),
    );
    expect(await outcome(edit({ stream: 'true', partial_images: '1' }, [image], `gpt-image-2--${name}`))).toEqual(one);
  });

  test('hang is billed and never responds', async () => {
    const socket = connect(Number(new URL(caller.simulator.origin).port), '127.0.0.1');
    const body = writeForm([...fields({ model: 'gpt-image-2--hang', prompt: 'a hat' }), image]);
    const head = [`POST ${v1} HTTP/1.1`, 'host: 127.0.0.1', 'api-key: test-key', `content-length: ${body.length}`];
    socket.write(`${[...head, `content-type: ${formHeaders['content-type']}`].join('\r\n')}\r\n\r\n`);
    socket.write(body);
    await expect.poll(() => caller.simulator.ledger.counts().billed).toBe(1);
    expect(socket.bytesRead).toBe(0);
    socket.destroy();
    await once(socket, 'close');
  });

  test('unsupported-content-type refuses every form, and bills none', async () => {
    for (const _call of [1, 2]) {
      const response = await edit({ prompt: 'simulate:unsupported-content-type' });
      expect([response.status, json(response).error]).toEqual([
        400,
        {
          message: expect.stringContaining("Unsupported content type: 'multipart/form-data'"),
          type: 'invalid_request_error',
          param: null,
          code: 'unsupported_content_type',
        },
      ]);
    }
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 2 });
  });

  test('unsupported-content-type-once refuses the first call of a prompt only, until a reset', async () => {
    const statuses = async (words: string) => {
      const values = { prompt: `${words} simulate:unsupported-content-type-once` };
      return [(await edit(values)).status, (await edit(values)).status, (await edit(values)).status];
    };
    expect(await statuses('a hat')).toEqual([400, 200, 200]);
    expect(await statuses('a scarf')).toEqual([400, 200, 200]);
    expect(caller.simulator.ledger.counts().billed).toBe(4);
    caller.simulator.ledger.reset();
    expect(await statuses('a hat')).toEqual([400, 200, 200]);
  });

  test('of edits mean nothing in a generation', async () => {
    const response = await caller.generate('gpt-image-2', { prompt: 'simulate:unsupported-content-type' });
    expect(json(response).error.code).toBe('scenario_out_of_reach');
  });

  test('of edits have all been given a test here', async () => {
    const source = await readFile(import.meta.filename, 'utf8');
    const untested = table.filter(({ name, reach }) => reach === 'edit' && !source.includes(`test('${name} `));
    expect(untested).toEqual([]);
  });
});
