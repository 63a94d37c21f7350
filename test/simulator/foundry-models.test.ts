import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Caller, json, openCaller, type ReceivedResponse } from './call-simulator.ts';
import { type FormPart, fields, formHeaders, writeForm } from './write-form.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

type Format = 'png' | 'jpeg' | 'webp';
const picture = (format: Format, width = 800, height = 1200) =>
  sharp({ create: { width, height, channels: 3, background: '#f00' } })
    .toFormat(format)
    .toBuffer();
const [png, jpeg, webp] = await Promise.all([picture('png'), picture('jpeg'), picture('webp')]);

async function drawn(response: ReceivedResponse): Promise<string> {
  const { format, width, height } = await sharp(Buffer.from(json(response).data[0].b64_json, 'base64')).metadata();
  return `${format} ${width}x${height}`;
}

describe('MAI-Image', () => {
  const generations = '/mai/v1/images/generations';
  const generate = (body: object, model = 'MAI-Image-2.6-mine', query = '') =>
    caller.call('POST', `${generations}${query}`, { model, prompt: 'a cat', ...body });
  const edit = (files: readonly FormPart[], values: Record<string, string> = {}, model = 'MAI-Image-2.6') => {
    const parts = [...fields({ model, prompt: 'a hat', ...values }), ...files];
    return caller.send('/mai/v1/images/edits', formHeaders, writeForm(parts));
  };
  const file = (bytes: Buffer, type = 'image/png', name = 'image'): FormPart => ({
    ...{ name, bytes, type, filename: `a.${type.slice('image/'.length)}` },
  });

  test('makes one PNG of the edges that it is told, without created, and counts tokens in its own terms', async () => {
    const response = await generate({ width: 768, height: 1536 });
    expect(await drawn(response)).toBe('png 768x1536');
    const { data, ...others } = json(response);
    expect(data).toHaveLength(1);
    expect(others).toEqual({
      usage: { num_input_text_tokens: 2, num_input_image_tokens: 0, num_output_tokens: 1152 },
    });
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 1, images: 1, billedByFlow: { mai: 1 } });
  });

  test('ignores size and n without a word', async () => {
    const response = await generate({ size: '1536x1024', n: 4 }, undefined, '?api-version=preview');
    expect(await drawn(response)).toBe('png 1024x1024');
    expect(json(response).data).toHaveLength(1);
  });

  test.each([
    [{ width: 512 }, "'width' must be at least 768 pixels."],
    [{ height: 1000 }, "'height' must be a multiple of 16 pixels."],
    [{ width: 1552 }, "'width' must be at most 1536 pixels."],
    [{ width: '1024' }, "'width' must be an integer."],
    [{ seed: 1 }, "'seed' is not supported."],
    [{ response_format: 'b64_json' }, "'response_format' is not supported."],
    [{ negative_prompt: 'dogs' }, "'negative_prompt' is not supported."],
    [{ user: 'u' }, "'user' is not supported."],
    [{ web_grounding: 'yes' }, "'web_grounding' must be a boolean."],
  ])('refuses %j', async (body, reason) => {
    const response = await generate(body);
    expect([response.status, json(response).error]).toEqual([
      400,
      { code: 'unsupported_request_value', message: `The request is not valid: ${reason}`, details: reason },
    ]);
    expect(caller.simulator.ledger.counts().billed).toBe(0);
  });

  test('models before 2.6 make a megapixel at most, and have no flags', async () => {
    expect((await generate({ width: 1536, height: 1024 }, 'MAI-Image-2.5')).status).toBe(400);
    expect((await generate({ auto_aspect_ratio: true }, 'MAI-Image-2.5')).status).toBe(400);
    expect((await generate({ auto_aspect_ratio: true })).status).toBe(200);
  });

  test('edits take PNG and JPEG only, and neither edges nor masks', async () => {
    expect(
      await drawn(await edit([file(png), file(jpeg, 'image/jpeg')].map((part) => ({ ...part, name: 'image[]' })))),
    ).toBe('png 800x1200');
    expect(caller.simulator.ledger.counts()).toMatchObject({ billedByOperation: { edit: 1 } });
    const refused = await Promise.all([
      edit([file(webp, 'image/webp')]),
      edit([file(png)], { width: '1024', height: '1024' }),
      edit([file(png), file(png, 'image/png', 'mask')]),
      edit(Array(6).fill({ ...file(png), name: 'image[]' })),
      edit(Array(2).fill({ ...file(png), name: 'image[]' }), {}, 'MAI-Image-2.5'),
      edit([]),
    ]);
    expect(refused.map(({ status }) => status)).toEqual(Array(6).fill(400));
  });

  test('is at its own path only, and plays scenarios there', async () => {
    const elsewhere = await caller.call('POST', '/openai/v1/images/generations', {
      model: 'MAI-Image-2.6',
      prompt: 'a',
    });
    expect([elsewhere.status, json(elsewhere).error.code]).toEqual([404, '404']);
    const other = await generate({}, 'gpt-image-2');
    expect([other.status, json(other).error.code]).toEqual([404, 'DeploymentNotFound']);
    const filtered = await generate({ prompt: 'simulate:filter-policy' });
    expect([filtered.status, json(filtered).error.code]).toEqual([400, 'content_safety_violation']);
    expect((await generate({}, 'MAI-Image-2.6--500')).status).toBe(500);
    expect((await generate({ prompt: 'simulate:stream-cut' })).status).toBe(400);
  });
});

describe('FLUX', () => {
  const post = (path: string, body: object, headers?: Record<string, string>, version = '?api-version=preview') =>
    caller.call('POST', `/providers/blackforestlabs/v1/${path}${version}`, body, headers);
  const flex = (body: object) => post('flux-2-flex', { model: 'FLUX.2-flex', prompt: 'a fox', ...body });

  test('makes images of the edges and the format that it is told, without usage', async () => {
    const response = await flex({
      width: 640,
      height: 360,
      num_images: 2,
      output_format: 'png',
      guidance: 4.5,
      steps: 20,
    });
    expect(await drawn(response)).toBe('png 640x360');
    const { created, data, ...others } = json(response);
    expect([typeof created, data.length, others]).toEqual(['number', 2, {}]);
    expect(await drawn(await flex({}))).toBe('jpeg 1024x1024');
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 2, images: 3, billedByFlow: { flux: 2 } });
  });

  test.each([
    ['flux-2-pro', 'FLUX.2-pro', 200],
    ['flux-kontext-pro', 'FLUX.1-Kontext-pro', 200],
    ['flux-pro-1.1', 'FLUX-1.1-pro-mine', 200],
    ['flux-2-flex', 'FLUX.2-pro', 404],
    ['flux-2-max', 'FLUX.2-pro', 404],
  ])('the path %s with %s: %i', async (path, model, status) => {
    expect((await post(path, { model, prompt: 'a fox' })).status).toBe(status);
  });

  test('needs an api-version, and takes its key as a bearer token, too', async () => {
    const body = { model: 'FLUX.2-pro', prompt: 'a fox' };
    expect((await post('flux-2-pro', body, undefined, '')).status).toBe(404);
    expect((await post('flux-2-pro', body, { authorization: 'Bearer test-key' })).status).toBe(200);
    expect((await post('flux-2-pro', body, { authorization: 'Bearer other-key' })).status).toBe(401);
  });

  test.each([
    ...['size', 'n', 'quality', 'background', 'moderation', 'user', 'output_compression', 'response_format'].map(
      (name): [string, unknown] => [name, '1'],
    ),
    ['guidance', 1],
    ['steps', 51],
    ['output_format', 'webp'],
    ['aspect_ratio', 'wide'],
    ['width', 5000],
    ['input_image_11', png.toString('base64')],
    ['input_image', `data:image/png;base64,${png.toString('base64')}`],
    ['input_image', Buffer.from('no image').toString('base64')],
  ])('refuses %s: %j', async (name, value) => {
    const response = await flex({ [name]: value });
    expect([response.status, json(response).error.param]).toEqual([400, name]);
  });

  test('more than four megapixels are refused', async () => {
    expect((await flex({ width: 4096, height: 2048 })).status).toBe(400);
  });

  test('draws over the first of its images, which the ledger does not keep', async () => {
    const large = await sharp(Buffer.alloc(600 * 600 * 3, Buffer.from('noise')), {
      raw: { width: 600, height: 600, channels: 3 },
    })
      .png({ compressionLevel: 0 })
      .toBuffer();
    const response = await flex({ input_image: large.toString('base64'), input_image_2: png.toString('base64') });
    expect(await drawn(response)).toBe('jpeg 1024x1024');
    expect(caller.simulator.ledger.counts()).toMatchObject({ billedByOperation: { edit: 1 } });
    const [recorded] = caller.simulator.ledger.requests;
    expect(JSON.stringify(recorded?.body).length).toBeLessThan(100_000);
  });

  test('FLUX.2 is at no path of OpenAI’s API', async () => {
    const elsewhere = await caller.call('POST', '/openai/v1/images/generations', { model: 'FLUX.2-pro', prompt: 'a' });
    expect(elsewhere.status).toBe(404);
    expect((await caller.generate('FLUX.2-pro', { prompt: 'a' }, 'preview')).status).toBe(404);
  });
});

test('a project accepts the key only in a demo', async () => {
  const path = '/api/projects/demo/openai/v1/responses';
  const body = { agent_reference: { type: 'agent_reference', name: 'artist' }, input: 'a cat' };
  const headers = { 'api-key': 'test-key', 'x-ms-oai-image-generation-deployment': 'gpt-image-2' };
  expect((await caller.call('POST', path, body, headers)).status).toBe(401);
  const demo = await openCaller({ projectKeys: true });
  expect((await demo.call('POST', path, body, headers)).status).toBe(200);
  await demo.close();
});
