import OpenAI, {
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  type OpenAIError,
  RateLimitError,
} from 'openai';
import type { ImageGenerateParamsNonStreaming } from 'openai/resources/images';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { modelsFile, requestLines, startRig, startUpstream, tinyPng } from './rig.ts';
import { buyAll, flows } from './sdk-flows.ts';

const clientOf = (url: string, apiKey = gatewayKey) => new OpenAI({ apiKey, baseURL: `${url}/v1` });

async function dimensions(image: Buffer): Promise<string> {
  const { width, height } = await sharp(image).metadata();
  return `${width}x${height}`;
}

const decode = (base64: string | undefined) => Buffer.from(base64 ?? '', 'base64');

async function fetchImage(url: string | undefined): Promise<Buffer> {
  const answer = await fetch(url ?? 'about:blank');
  expect(answer.status).toBe(200);
  return Buffer.from(await answer.arrayBuffer());
}

describe('images.generate', () => {
  test.each([
    ['image', '1536x1024', 1],
    ['image', '1024x1536', 3],
    ['gpt-image-1', '1024x1024', 1],
    ['studio/poster', '1024x1536', 1],
    ['studio/poster', '1024x1024', 2],
  ])('%s at %s, n = %i, gives base64 that decodes to that size, and usage', async (model, size, n) => {
    const { url } = await startRig();
    const answer = await clientOf(url).images.generate({ model, prompt: 'a cat', size, n } as Generate);
    const sizes = await Promise.all((answer.data ?? []).map(({ b64_json }) => dimensions(decode(b64_json))));
    expect(sizes).toEqual(Array(n).fill(size));
    expect(answer.usage?.total_tokens).toBeGreaterThan(0);
    expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(600);
  });

  test('the v1 model reports what was made', async () => {
    const { url } = await startRig();
    const request = { model: 'studio/poster', prompt: 'a cat', quality: 'low', output_format: 'jpeg' } as const;
    const answer = await clientOf(url).images.generate(request);
    const { size, quality, output_format, background } = answer;
    expect({ size, quality, output_format, background }).toEqual({
      size: '1024x1024',
      quality: 'low',
      output_format: 'jpeg',
      background: 'opaque',
    });
    expect((await sharp(decode(answer.data?.[0]?.b64_json)).metadata()).format).toBe('jpeg');
  });

  test.each([undefined, 'url'] as const)('dall-e-3 with response_format %s gives a link that works', async (format) => {
    const { url } = await startRig();
    const request = { model: 'dall-e-3', prompt: 'a cat', size: '1792x1024', style: 'natural' } as const;
    const answer = await clientOf(url).images.generate({ ...request, response_format: format ?? null });
    const [item] = answer.data ?? [];
    expect(Object.keys(item ?? {}).sort()).toEqual(['revised_prompt', 'url']);
    expect(await dimensions(await fetchImage(item?.url))).toBe('1792x1024');
  });

  test('dall-e-3 with response_format b64_json gives the image and the revised prompt', async () => {
    const { url } = await startRig();
    const request = { model: 'dall-e-3', prompt: 'a cat', response_format: 'b64_json' } as const;
    const [item] = (await clientOf(url).images.generate(request)).data ?? [];
    expect(await dimensions(decode(item?.b64_json))).toBe('1024x1024');
    expect(item?.revised_prompt).toContain('a cat');
  });

  test.each([1, 3])('the legacy model with n = %i gives links that work', async (n) => {
    const { url } = await startRig();
    const request = { model: 'dall-e-2', prompt: 'a cat', size: '256x256', n } as const;
    const answer = await clientOf(url).images.generate(request);
    const images = await Promise.all((answer.data ?? []).map((item) => fetchImage(item.url)));
    expect(await Promise.all(images.map(dimensions))).toEqual(Array(n).fill('256x256'));
  });

  test.each([1, 3])('the legacy model with n = %i and b64_json gives the images themselves', async (n) => {
    const { url } = await startRig();
    const request = { model: 'dall-e-2', prompt: 'a cat', size: '512x512', n, response_format: 'b64_json' } as const;
    const { data, response } = await clientOf(url).images.generate(request).withResponse();
    const sizes = await Promise.all((data.data ?? []).map(({ b64_json }) => dimensions(decode(b64_json))));
    expect(sizes).toEqual(Array(n).fill('512x512'));
    expect(response.headers.get('x-gateway-adapted')).toBe('delivery=b64_json');
  });

  test('the request id of an answer is the one in the log', async () => {
    const rig = await startRig();
    const answer = await clientOf(rig.url).images.generate({ model: 'image', prompt: 'a cat' });
    await expect.poll(() => requestLines(rig)).toMatchObject([{ requestId: answer._request_id, images: 1 }]);
  });
});

type Generate = ImageGenerateParamsNonStreaming;
type ErrorFacts = { status: number; code: string; type: string; param?: string };
type ErrorClass = new (...parameters: never[]) => OpenAIError;

describe('errors', () => {
  const cases: [string, ErrorClass, Partial<Generate>, ErrorFacts][] = [
    [
      'an n that no model makes',
      BadRequestError,
      { n: 11 },
      { status: 400, code: 'invalid_value', type: 'invalid_request_error', param: 'n' },
    ],
    [
      'a prompt that the upstream refuses',
      BadRequestError,
      { prompt: 'simulate:filter-policy' },
      { status: 400, code: 'content_policy_violation', type: 'image_generation_user_error' },
    ],
    [
      'an image that moderation blocks',
      BadRequestError,
      { prompt: 'simulate:moderation-blocked' },
      { status: 400, code: 'moderation_blocked', type: 'image_generation_user_error' },
    ],
    [
      'a model that does not exist',
      NotFoundError,
      { model: 'nobody' },
      { status: 404, code: 'model_not_found', type: 'invalid_request_error', param: 'model' },
    ],
    [
      'an upstream that receives too much',
      RateLimitError,
      { prompt: 'simulate:429-ms' },
      { status: 429, code: 'rate_limit_exceeded', type: 'requests' },
    ],
    [
      'an upstream without quota',
      RateLimitError,
      { prompt: 'simulate:429-quota' },
      { status: 429, code: 'insufficient_quota', type: 'insufficient_quota' },
    ],
    [
      'an upstream that fails',
      InternalServerError,
      { prompt: 'simulate:500' },
      { status: 502, code: 'upstream_generation_failed', type: 'server_error' },
    ],
    [
      'an upstream that is busy',
      InternalServerError,
      { prompt: 'simulate:503-busy' },
      { status: 503, code: 'upstream_unavailable', type: 'server_error' },
    ],
  ];

  test.each(cases)('%s is the SDK’s class with code, type, param and request id', async (_, type, request, facts) => {
    const rig = await startRig({ modelKeys: { maxRetries: 1 }, timeoutMs: 20_000 });
    const error = await failure(clientOf(rig.url).images.generate({ model: 'image', prompt: 'a cat', ...request }));
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ param: null, ...facts });
    await expect.poll(() => requestLines(rig)).toHaveLength(1);
    expect(requestLines(rig)[0]).toMatchObject({ requestId: (error as { requestID?: unknown }).requestID });
  });

  test('a wrong key is an AuthenticationError', async () => {
    const { url } = await startRig();
    const error = await failure(clientOf(url, 'wrong').images.generate({ model: 'image', prompt: 'a cat' }));
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'invalid_request_error', param: null });
    expect((error as AuthenticationError).requestID).toMatch(/^[0-9a-f-]{36}$/);
  });
});

async function failure(call: Promise<unknown>): Promise<OpenAIError> {
  return call.then(
    () => expect.fail('the call succeeded'),
    (error: OpenAIError) => error,
  );
}

describe('models', () => {
  test('list gives the models and their aliases', async () => {
    const { url } = await startRig();
    const ids: string[] = [];
    for await (const model of clientOf(url).models.list()) ids.push(model.id);
    expect(ids).toEqual(['image', 'studio/poster', 'dall-e-3', 'dall-e-2', 'gpt-image-1']);
  });

  test.each(['image', 'studio/poster', 'gpt-image-1'])('retrieve finds %s', async (id) => {
    const { url } = await startRig();
    expect(await clientOf(url).models.retrieve(id)).toMatchObject({ id, object: 'model' });
  });

  test('retrieve of an unknown id is a NotFoundError', async () => {
    const { url } = await startRig();
    const error = await failure(clientOf(url).models.retrieve('no body/knows'));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ code: 'model_not_found', param: 'model' });
  });
});

/** One for each way in which a paid call can end, and one where something else is special about a flow. */
const kinds = [
  ...['none', 'hang', '429-none', '500', '502-html', '403-blocked', 'redirect', 'filter-policy', 'moderation-blocked'],
  ...['html-200', 'truncated-length', 'reset', 'reset-before-headers', 'not-an-image', 'filter-item'],
  ...['stream-error-flat', 'stream-reset', 'operation-failed', 'operation-lost', 'download-404'],
];

describe('with its own retries on, the SDK never buys twice', () => {
  // `npm run test:clients` plays all scenarios.
  test.each(flows)('$name, one failure of each kind', async (flow) => {
    await buyAll(flow, ({ name }) => kinds.includes(name));
  });

  test('when the upstream refuses the second image in the same packet as the first', async () => {
    const upstream = await startUpstream((_request, response) => {
      const filtered = { error: { code: 'contentFilter', message: 'filtered' } };
      response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }, filtered] }));
    });
    const { url } = await startGateway(modelsFile(upstream.origin));
    await failure(clientOf(url).images.generate({ model: 'image', prompt: 'a cat', n: 2 }));
    expect(upstream.received).toBe(1);
  });
});
