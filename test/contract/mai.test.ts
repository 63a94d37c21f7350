import { describe, expect, test } from 'vitest';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { mockAzure, type Reply } from './mock-azure.ts';
import { collect, deployment, maiImage, rejection, startCall } from './providers.ts';

const editsPath = '/mai/v1/images/edits';
const success: Reply = { body: { data: [{ b64_json: tinyPng }] } };

async function bodyFor(request: Partial<ImageRequest>): Promise<unknown> {
  const azure = mockAzure();
  azure.post(maiImage.paidPath, success);
  await collect(await startCall(maiImage, { request: { prompt: 'a cat', ...request } }).events);
  return azure.requests[0]?.body;
}

/** Through the whole gateway, which adapts the request first. */
async function call(
  body: Record<string, unknown>,
  { calls = 1, target = {} }: { calls?: number; target?: object } = {},
) {
  const azure = mockAzure();
  azure.post(maiImage.paidPath, ...Array(calls).fill(success));
  const gateway = await startGateway(oneTarget({ ...maiImage.target, ...target }));
  const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', ...body });
  return { called, paid: azure.requests.map((request) => request.body) };
}

/** A request that is refused before anything is sent. */
async function refusal(body: Record<string, unknown>, target: object = {}) {
  const { called, paid } = await call(body, { calls: 0, target });
  expect(paid).toEqual([]);
  const { code, param } = called.json().error;
  return [called.status, code, param];
}

describe('a generation of MAI-Image', () => {
  test('size becomes width and height, and n as many calls: neither is sent, because both would be ignored', async () => {
    const { called, paid } = await call({ size: '1536x1024', n: 2 }, { calls: 2 });
    const body = { model: deployment, prompt: 'a cat', width: 1536, height: 1024 };
    expect(paid).toEqual([body, body]);
    expect(called.json().data).toHaveLength(2);
    expect(called.headers.get('x-gateway-adapted')).toBe('n=fan-out');
    expect(called.json().created).toBeGreaterThan(1_700_000_000);
  });

  test('width and height may be sent in place of a size', async () => {
    const { paid } = await call({ width: 768, height: 1024 });
    expect(paid).toEqual([{ model: deployment, prompt: 'a cat', width: 768, height: 1024 }]);
  });

  test.each([
    ['a smaller edge', { size: '1024x512' }, 'invalid_value', 'size'],
    ['an edge off the grid', { size: '1000x1000' }, 'invalid_value', 'size'],
    ['an edge below the minimum, as width', { width: 512, height: 1024 }, 'invalid_value', 'width'],
    ['one edge only', { width: 1024 }, 'missing_required_parameter', 'height'],
    ['an edge that is no number', { width: 'wide', height: 1024 }, 'invalid_value', 'width'],
    ['a size beside its edges', { size: '1024x1024', width: 1024, height: 1024 }, 'invalid_value', 'size'],
    ['a parameter that it refuses', { negative_prompt: 'dogs' }, 'unsupported_parameter', 'negative_prompt'],
    ['a search of the web', { web_grounding: true }, 'invalid_value', 'web_grounding'],
    ['a free ratio that is no boolean', { auto_aspect_ratio: 'maybe' }, 'invalid_value', 'auto_aspect_ratio'],
  ])('%s is refused by name', async (_name, body, code, param) => {
    expect(await refusal(body)).toEqual([400, code, param]);
  });

  test('above a megapixel it is sent for 2.6, and refused for models before', async () => {
    expect(await refusal({ size: '1536x1024' }, { model: 'MAI-Image-2.5' })).toEqual([400, 'invalid_value', 'size']);
  });

  test('web_grounding is sent where the target allows it, and false means nothing where it does not', async () => {
    const { paid } = await call({ web_grounding: true }, { target: { webGrounding: true } });
    expect(paid[0]).toMatchObject({ web_grounding: true });
    expect((await call({ web_grounding: false })).paid[0]).not.toHaveProperty('web_grounding');
  });

  test('auto_aspect_ratio without a size: no edges are sent', async () => {
    const { paid } = await call({ auto_aspect_ratio: true });
    expect(paid).toEqual([{ model: deployment, prompt: 'a cat', auto_aspect_ratio: true }]);
  });

  test('what clients of OpenAI send by default is absorbed and reported', async () => {
    const { called, paid } = await call({ quality: 'high', style: 'vivid', seed: 7, user: 'u', background: 'opaque' });
    expect(paid).toEqual([{ model: deployment, prompt: 'a cat', width: 1024, height: 1024 }]);
    const adapted = called.headers.get('x-gateway-adapted')?.split(', ');
    expect(adapted?.toSorted()).toEqual(['quality=removed', 'seed=removed', 'style=removed', 'user=removed']);
  });

  test('under `pass` neither size nor n goes out unmapped, and a size without edges is refused', async () => {
    expect(await bodyFor({ size: '800x800', count: 3 })).toEqual({
      ...{ model: deployment, prompt: 'a cat', width: 800, height: 800 },
    });
    const { events, attempt } = startCall(maiImage, { request: { size: 'large' } });
    expect(await rejection(events)).toMatchObject({ kind: 'invalid_value', param: 'size', outcome: 'refused' });
    expect(attempt.sent).toBe(false);
  });
});

describe('the usage of MAI-Image', () => {
  test.each([
    ['as documented', { num_input_text_tokens: 5, num_input_image_tokens: 0, num_output_tokens: 1024 }],
    ['without images', { num_input_text_tokens: 5, num_output_tokens: 1024 }],
  ])('%s comes in the terms of OpenAI', async (_name, usage) => {
    mockAzure().post(maiImage.paidPath, { body: { data: [{ b64_json: tinyPng }], usage } });
    const events = await collect(await startCall(maiImage).events);
    expect(events.at(-1)).toMatchObject({
      type: 'done',
      usage: {
        input_tokens: 5,
        output_tokens: 1024,
        total_tokens: 1029,
        input_tokens_details: { text_tokens: 5, image_tokens: 0 },
        output_tokens_details: { text_tokens: 0, image_tokens: 1024 },
      },
    });
  });

  test('in the other spelling comes in the terms of OpenAI, which tell no images apart in the input', async () => {
    const usage = { input_tokens: 20, output_image_tokens: 1024 };
    mockAzure().post(maiImage.paidPath, { body: { data: [{ b64_json: tinyPng }], usage } });
    const events = await collect(await startCall(maiImage).events);
    expect(events.at(-1)).toEqual({
      type: 'done',
      usage: {
        ...{ input_tokens: 20, output_tokens: 1024, total_tokens: 1044 },
        output_tokens_details: { text_tokens: 0, image_tokens: 1024 },
      },
    });
  });

  test('that is not known stays as it came', async () => {
    const usage = { units: 3 };
    mockAzure().post(maiImage.paidPath, { body: { data: [{ b64_json: tinyPng }], usage } });
    const events = await collect(await startCall(maiImage).events);
    expect(events.at(-1)).toEqual({ type: 'done', usage });
  });
});

describe('an edit of MAI-Image', () => {
  test('is a form without size and count', async () => {
    const azure = mockAzure();
    azure.post(editsPath, success);
    const png = Buffer.from(tinyPng, 'base64');
    const edit = editInputs([imageInput(png), imageInput(png)]);
    const request = { prompt: 'a hat', size: '1024x1024', count: 2, edit };
    await collect(await startCall(maiImage, { request }).events);
    const form = String(azure.requests[0]?.body);
    expect([...form.matchAll(/ name="([^"]+)"/g)].map(([, name]) => name)).toEqual([
      ...['model', 'prompt', 'image[]', 'image[]'],
    ]);
    expect(form).toContain(deployment);
  });
});

describe('an error of MAI-Image', () => {
  test.each([
    [
      { code: 'unsupported_request_value', message: "The request is not valid: 'width' must be at least 768 pixels." },
      { kind: 'upstream_refused_value', outcome: 'refused', param: 'size' },
    ],
    [
      { code: 'content_safety_violation', message: 'The prompt was refused.' },
      { kind: 'content_policy_violation', outcome: 'refused' },
    ],
  ])('%o has its meaning', async (error, meaning) => {
    mockAzure().post(maiImage.paidPath, { status: 400, body: { error } });
    expect(await rejection(startCall(maiImage).events)).toMatchObject(meaning);
  });
});
