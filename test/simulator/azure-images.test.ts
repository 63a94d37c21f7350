import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Caller, json, openCaller } from './call-simulator.ts';
import { sizeOf } from './size-of.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const v1 = '/openai/v1/images/generations';

describe('a gpt-image deployment', () => {
  test('returns base64 images with usage and no echo under a dated api-version', async () => {
    const response = await caller.generate('gpt-image-1', { prompt: 'a cat', n: 2, size: '1536x1024' });
    expect(response.status).toBe(200);
    expect(response.headers['apim-request-id']).toBeTypeOf('string');
    expect(response.headers['x-ms-region']).toBeTypeOf('string');
    const body = json(response);
    expect(Object.keys(body).sort()).toEqual(['created', 'data', 'usage']);
    expect(body.data.map((item: object) => Object.keys(item))).toEqual([['b64_json'], ['b64_json']]);
    expect(body.data[0].b64_json).not.toBe(body.data[1].b64_json);
    expect(await sizeOf(body.data[0].b64_json)).toBe('png 1536x1024');
    const { total_tokens, input_tokens, output_tokens, input_tokens_details } = body.usage;
    expect(total_tokens).toBe(input_tokens + output_tokens);
    expect(input_tokens_details).toEqual({ text_tokens: input_tokens, image_tokens: 0 });
  });

  test('echoes the settings under the api-version preview', async () => {
    const body = json(await caller.generate('gpt-image-1', { prompt: 'a cat', size: 'auto' }, 'preview'));
    expect(body).toMatchObject({ background: 'opaque', size: '1024x1024', quality: 'high', output_format: 'png' });
  });

  test('makes jpeg with compression, transparent png and free sizes', async () => {
    const jpeg = { prompt: 'a cat', output_format: 'jpeg' };
    const fine = json(await caller.generate('gpt-image-2', { ...jpeg, output_compression: 95 }));
    const coarse = json(await caller.generate('gpt-image-2', { ...jpeg, output_compression: 5 }));
    expect(await sizeOf(coarse.data[0].b64_json)).toBe('jpeg 1024x1024');
    expect(coarse.data[0].b64_json.length).toBeLessThan(fine.data[0].b64_json.length);
    const clear = json(await caller.generate('gpt-image-1', { prompt: 'a cat', background: 'transparent' }));
    expect((await sharp(Buffer.from(clear.data[0].b64_json, 'base64')).stats()).isOpaque).toBe(false);
    const wide = json(await caller.generate('gpt-image-2', { prompt: 'a cat', size: '1600x640' }));
    expect(await sizeOf(wide.data[0].b64_json)).toBe('png 1600x640');
  });

  test.each([
    ['response_format', { response_format: 'b64_json' }, 'unknown_parameter'],
    ['style', { style: 'vivid' }, 'unknown_parameter'],
    ['seed', { seed: 1 }, 'unknown_parameter'],
    ['__proto__-like names', { constructor: 1 }, 'unknown_parameter'],
    ['a size of another family', { size: '1792x1024' }, 'invalid_value'],
    ['webp', { output_format: 'webp' }, 'invalid_value'],
    ['compression of png', { output_compression: 50 }, 'invalid_value'],
    ['transparent jpeg', { background: 'transparent', output_format: 'jpeg' }, 'invalid_value'],
    ['quality hd', { quality: 'hd' }, 'invalid_value'],
    ['quality max', { quality: 'max' }, 'invalid_value'],
    ['n 0', { n: 0 }, 'invalid_value'],
    ['n 11', { n: 11 }, 'invalid_value'],
    ['n as text', { n: '1' }, 'invalid_value'],
    ['n null', { n: null }, 'invalid_value'],
    ['user null', { user: null }, 'invalid_value'],
    ['moderation high', { moderation: 'high' }, 'invalid_value'],
    ['partial_images 4', { partial_images: 4 }, 'invalid_value'],
    ['partial_images without stream', { partial_images: 2 }, 'invalid_value'],
    ['partial_images with stream false', { partial_images: 0, stream: false }, 'invalid_value'],
    ['partial_images 4 in a stream', { partial_images: 4, stream: true }, 'invalid_value'],
    ['partial_images -1 in a stream', { partial_images: -1, stream: true }, 'invalid_value'],
    ['stream as text', { stream: 'true' }, 'invalid_value'],
    ['a stream of two', { stream: true, n: 2 }, 'unsupported_parameter'],
    ['a scenario of streams without stream', { prompt: 'a cat simulate:stream-cut' }, 'scenario_out_of_reach'],
    ['model as deployment', { model: 'gpt-image-1-mine' }, 'invalid_value'],
    ['an empty prompt', { prompt: '' }, 'invalid_value'],
    ['a missing prompt', { prompt: undefined }, 'missing_required_parameter'],
    ['a prompt too long', { prompt: 'x'.repeat(32_001) }, 'invalid_value'],
    ['an unknown scenario', { prompt: 'a cat simulate:flood' }, 'unknown_scenario'],
    ['a scenario of another flow', { prompt: 'a cat simulate:operation-failed' }, 'scenario_out_of_reach'],
    ['a download scenario without url', { prompt: 'a cat simulate:download-404' }, 'scenario_out_of_reach'],
  ])('refuses %s', async (_name, members, code) => {
    const response = await caller.generate('gpt-image-1-mine', { prompt: 'a cat', ...members });
    expect([response.status, json(response).error.code]).toEqual([400, code]);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 1 });
  });

  test('words the refusals of parameter and model as Azure does', async () => {
    const parameter = json(await caller.generate('gpt-image-1', { prompt: 'a cat', response_format: 'url' }));
    expect(parameter.error).toEqual({
      message: "Unknown parameter: 'response_format'.",
      type: 'invalid_request_error',
      param: 'response_format',
      code: 'unknown_parameter',
    });
    const model = json(await caller.generate('gpt-image-2-1', { prompt: 'a cat', model: 'gpt-image-2-1' }));
    expect(model.error).toEqual({
      message: "The model 'gpt-image-2-1' does not exist.",
      type: 'image_generation_user_error',
      param: 'model',
      code: 'invalid_value',
    });
    expect((await caller.generate('gpt-image-2-1', { prompt: 'a cat', model: 'gpt-image-2' })).status).toBe(200);
  });

  test.each(['1000x1000', '640x640', '3856x1280', '3200x1024', '01024x1024', '4096x2048'])(
    'refuses the size %s by the pixel rule',
    async (size) => {
      expect((await caller.generate('gpt-image-2', { prompt: 'a cat', size })).status).toBe(400);
    },
  );
});

describe('a dall-e-3 deployment', () => {
  test('returns one url with its rewritten prompt and filter results, which leads to the image', async () => {
    const response = await caller.generate('dall-e-3', { prompt: 'a cat', size: '1792x1024' }, '2024-02-01');
    const [item] = json(response).data;
    expect(Object.keys(item).sort()).toEqual([
      'content_filter_results',
      'prompt_filter_results',
      'revised_prompt',
      'url',
    ]);
    expect(json(response).usage).toBeUndefined();
    expect(item.url.startsWith(`${caller.simulator.origin}/private/images/`)).toBe(true);
    const image = await caller.call('GET', item.url, undefined, {});
    expect(image.headers['content-type']).toBe('image/png');
    expect(await sizeOf(image.bytes.toString('base64'))).toBe('png 1792x1024');
  });

  test('returns base64 when requested', async () => {
    const body = json(
      await caller.generate('dall-e-3', { prompt: 'a cat', response_format: 'b64_json' }, '2024-10-21'),
    );
    expect(await sizeOf(body.data[0].b64_json)).toBe('png 1024x1024');
  });

  test.each([
    [{ n: 2 }],
    [{ background: 'opaque' }],
    [{ output_format: 'png' }],
    [{ moderation: 'low' }],
    [{ stream: false }],
    [{ stream: true }],
    [{ quality: 'high' }],
    [{ size: 'auto' }],
    [{ style: 'dull' }],
    [{ response_format: 'file' }],
    [{ prompt: 'x'.repeat(4001) }],
  ])('refuses %j', async (members) => {
    expect((await caller.generate('dall-e-3', { prompt: 'a cat', ...members }, '2024-02-01')).status).toBe(400);
  });
});

describe('a FLUX deployment', () => {
  test.each(['FLUX-1.1-pro', 'FLUX.1-Kontext-pro-mine', 'flux-1.1-PRO', 'flux'])(
    'called %s responses base64 without usage and echo',
    async (deployment) => {
      const body = json(await caller.generate(deployment, { prompt: 'a cat' }, 'preview'));
      expect(Object.keys(body)).toEqual(['created', 'data']);
      expect(await sizeOf(body.data[0].b64_json)).toBe('png 1024x1024');
    },
  );

  test('takes width and height, or a size, a format and a seed', async () => {
    const members = { prompt: 'a cat', n: 1, seed: 7, output_format: 'jpeg' };
    const edges = json(await caller.generate('FLUX-1.1-pro', { ...members, width: 512, height: 768 }));
    expect(await sizeOf(edges.data[0].b64_json)).toBe('jpeg 512x768');
    const size = json(await caller.generate('FLUX-1.1-pro', { ...members, size: '300x200' }));
    expect(await sizeOf(size.data[0].b64_json)).toBe('jpeg 300x200');
  });

  test('returns a url when requested', async () => {
    const body = json(await caller.generate('FLUX-1.1-pro', { prompt: 'a cat', response_format: 'url' }));
    const image = await caller.call('GET', body.data[0].url, undefined, {});
    expect(await sizeOf(image.bytes.toString('base64'))).toBe('png 1024x1024');
  });

  test.each([
    ['quality', { quality: 'high' }, 'unknown_parameter'],
    ['style', { style: 'vivid' }, 'unknown_parameter'],
    ['background', { background: 'opaque' }, 'unknown_parameter'],
    ['stream', { stream: true }, 'unknown_parameter'],
    ['two images', { n: 2 }, 'invalid_value'],
    ['webp', { output_format: 'webp' }, 'invalid_value'],
    ['a size in words', { size: 'auto' }, 'invalid_value'],
    ['a size too large', { size: '4096x1024' }, 'invalid_value'],
    ['a width that is no number', { width: '512' }, 'invalid_value'],
    ['a seed that is no integer', { seed: 0.5 }, 'invalid_value'],
  ])('refuses %s', async (_name, members, code) => {
    const response = await caller.generate('FLUX-1.1-pro', { prompt: 'a cat', ...members }, 'preview');
    expect([response.status, json(response).error.code]).toEqual([400, code]);
  });

  test('plays scenarios, and is billed', async () => {
    expect((await caller.generate('flux--429-none', { prompt: 'a cat' }, 'preview')).status).toBe(429);
    expect((await caller.generate('flux--slow-5', { prompt: 'a cat' }, 'preview')).status).toBe(200);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 1, billedByDeployment: { 'flux--slow-5': 1 } });
  });

  test('is not on the v1 path', async () => {
    const response = await caller.call('POST', v1, { model: 'FLUX-1.1-pro', prompt: 'a cat' });
    expect([response.status, json(response).error.code]).toEqual([400, 'OperationNotSupported']);
  });
});

describe('addresses', () => {
  test.each([
    ['gpt-image-1', '2025-04-01-preview', 200],
    ['gpt-image-1', '2026-01-01-preview', 200],
    ['gpt-image-1', '2025-04-01', 404],
    ['gpt-image-1', '2025-03-01-preview', 404],
    ['gpt-image-1', 'v1', 404],
    ['FLUX-1.1-pro', '2024-05-01-preview', 200],
    ['FLUX-1.1-pro', '2024-10-21', 404],
    ['dall-e-3', '2023-12-01-preview', 200],
    ['dall-e-3', '2024-10-21', 200],
    ['dall-e-3', '2023-10-01-preview', 404],
    ['dall-e-3', '2023-12-01', 404],
  ])('%s under %s responds with %i', async (deployment, apiVersion, status) => {
    expect((await caller.generate(deployment, { prompt: 'a cat' }, apiVersion)).status).toBe(status);
  });

  test('without api-version there is no resource', async () => {
    const response = await caller.call('POST', '/openai/deployments/gpt-image-1/images/generations', {
      prompt: 'a cat',
    });
    expect([response.status, json(response)]).toEqual([404, { error: { code: '404', message: 'Resource not found' } }]);
  });

  test('a deployment of no known family is not found', async () => {
    const response = await caller.generate('sora-2', { prompt: 'a cat' });
    expect([response.status, json(response).error.code]).toEqual([404, 'DeploymentNotFound']);
  });

  test('a dall-e-2 deployment does not speak this flow', async () => {
    expect(json(await caller.generate('dall-e-2', { prompt: 'a cat' })).error.code).toBe('OperationNotSupported');
  });

  test('a body that is no JSON object is refused in the error shape', async () => {
    const target = '/openai/deployments/gpt-image-1/images/generations?api-version=preview';
    const response = await caller.call('POST', target, ['no object']);
    expect(response.status).toBe(400);
    expect(json(response).error.message).toBeTypeOf('string');
    const form = await caller.call('POST', target, {}, { 'api-key': 'test-key', 'content-type': 'text/html' });
    expect([form.status, json(form).error.type]).toEqual([415, 'invalid_request_error']);
    const multipart = { 'api-key': 'test-key', 'content-type': 'multipart/form-data; boundary=b' };
    expect((await caller.call('POST', target, {}, multipart)).status).toBe(415);
  });
});

describe('keys', () => {
  const target = `${v1}?api-version=preview`;
  const body = { model: 'gpt-image-1', prompt: 'a cat' };
  test.each([
    [{ 'api-key': 'test-key' }, 200],
    [{ authorization: 'Bearer test-key' }, 200],
    [{}, 401],
    [{ 'api-key': 'wrong' }, 401],
    [{ authorization: 'test-key' }, 401],
    [{ authorization: 'Bearer wrong', 'api-key': 'test-key' }, 401],
  ])('%j gets %i', async (headers, status) => {
    const response = await caller.call('POST', target, body, headers as Record<string, string>);
    expect(response.status).toBe(status);
    if (status === 401) expect(json(response).error).toMatchObject({ code: '401' });
    expect(caller.simulator.ledger.received).toBe(status === 200 ? 1 : 0);
  });
});

describe('the v1 path', () => {
  test.each(['', '?api-version=preview', '?api-version=v1'])(
    'responds with echo and filter results (%s)',
    async (query) => {
      const body = json(await caller.call('POST', `${v1}${query}`, { model: 'gpt-image-2-mine', prompt: 'a cat' }));
      expect(body).toMatchObject({ output_format: 'png', size: '1024x1024', usage: { input_tokens: 2 } });
      expect(Object.keys(body.data[0]).sort()).toEqual(['b64_json', 'content_filter_results', 'prompt_filter_results']);
    },
  );

  test('knows other api-versions as little as other models', async () => {
    const good = { model: 'gpt-image-2', prompt: 'a cat' };
    expect((await caller.call('POST', `${v1}?api-version=2025-04-01-preview`, good)).status).toBe(404);
    const missing = await caller.call('POST', v1, { prompt: 'a cat' });
    expect([missing.status, json(missing).error.message]).toEqual([400, 'Unknown model']);
    expect(json(await caller.call('POST', v1, { ...good, model: 'sora' })).error.code).toBe('DeploymentNotFound');
    expect(json(await caller.call('POST', v1, { ...good, style: 'vivid' })).error.code).toBe('unknown_parameter');
  });

  test('takes the scenario from the deployment in model', async () => {
    expect((await caller.call('POST', v1, { model: 'gpt-image-2--429-none', prompt: 'a cat' })).status).toBe(429);
  });
});
