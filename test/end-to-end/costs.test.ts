import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { pngOf, postForm } from './priced-edit.ts';
import { modelsFile, openSocket, rawCall, requestLines, startUpstream, tinyPng } from './rig.ts';
import { samplesLike } from './samples-of.ts';
import { startStore } from './store.ts';

const patience = { timeout: 60_000 };

const perToken = { textIn: 5, imageIn: 8, imageOut: 30 };
const prices = {
  'gpt-image-2': perToken,
  'dall-e-3': {
    images: [
      { size: '1024x1024', quality: 'standard', price: 0.04 },
      { quality: 'hd', price: 0.12 },
    ],
  },
  'dall-e-2': { images: [{ price: 0.02 }] },
};

/** `a cat`: two tokens of text; the simulator counts one for each 256 pixels. */
const cost = (2 * 5 + 4096 * 30) / 1e6;

type Options = { readonly file?: object; readonly modelKeys?: Record<string, unknown>; readonly hosts?: boolean };

async function startPriced({
  file,
  modelKeys,
  hosts = false,
}: Options = {}): Promise<StartedGateway & { simulator: Simulator }> {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  onTestFinished(() => simulator.close());
  const models = { ...modelsFile(simulator.origin, 60_000, modelKeys), prices, currency: 'EUR', ...file };
  const gateway = await startGateway(models, hosts ? { store: (await startStore()).store } : {});
  return Object.defineProperties({ ...gateway } as StartedGateway & { simulator: Simulator }, {
    log: { get: () => gateway.log },
    simulator: { value: simulator },
  });
}

/** What the log says about the cost of the only request. */
async function loggedCost(gateway: StartedGateway): Promise<Record<string, unknown>> {
  await expect.poll(() => requestLines(gateway).length, patience).toBe(1);
  return costsIn(gateway)[0] ?? {};
}

function costsIn(gateway: StartedGateway): Record<string, unknown>[] {
  const lines = requestLines(gateway).filter(({ method }) => method === 'POST');
  return lines.map((line) =>
    Object.fromEntries(['cost', 'currency', 'costMayBeMore'].flatMap((key) => (key in line ? [[key, line[key]]] : []))),
  );
}

/** The sums by model and target; what is not there is missing. */
const inAll = ({ url }: StartedGateway) => samplesLike(url, 'gateway_cost_');
const total = (model: string, target = '1') =>
  `total{model="${model}",target="${target}",currency="EUR",estimated="false"}`;
const unknown = (model: string, target = '1') => `unknown_total{model="${model}",target="${target}"}`;
const uncertain = (model: string, target = '1') => `uncertain_total{model="${model}",target="${target}"}`;

const costHeader = (response: { headers: Headers }) => response.headers.get('x-gateway-cost-eur');

describe('prices of tokens', () => {
  test.each([
    ['JSON', { prompt: 'a cat' }, cost],
    ['a stream', { prompt: 'a cat', stream: true }, cost],
    [
      'a stream with partial images, which count',
      { prompt: 'a cat', stream: true, partial_images: 2 },
      cost + 200 * 30e-6,
    ],
    ['two images of two calls', { prompt: 'a cat', n: 2, stream: true }, 2 * cost],
  ])('%s: in log and metrics, and in no header, because usage comes last', async (_, request, expected) => {
    const gateway = await startPriced();
    const response = await callGateway(gateway.url, request);
    expect(response.status).toBe(200);
    expect(costHeader(response)).toBeNull();
    expect(await loggedCost(gateway)).toEqual({ cost: expect.closeTo(expected, 12), currency: 'EUR' });
    expect(await inAll(gateway)).toEqual({ [total('image')]: expect.closeTo(expected, 12) });
  });

  test('two images that came whole before the head was sent: in the header, too', async () => {
    const gateway = await startPriced();
    const response = await callGateway(gateway.url, { prompt: 'a cat', n: 2 });
    expect(Number(costHeader(response))).toBeCloseTo(cost + 4096 * 30e-6, 12);
    expect(await loggedCost(gateway)).toEqual({ cost: Number(costHeader(response)), currency: 'EUR' });
  });

  test('an edit: its images have a price of their own', async () => {
    const gateway = await startPriced();
    const response = await postForm(gateway.url, 'a cat', [await pngOf(64), await pngOf(64)]);
    expect(response.status).toBe(200);
    const expected = cost + (2 * 250 * 8) / 1e6;
    expect(await loggedCost(gateway)).toEqual({ cost: expect.closeTo(expected, 12), currency: 'EUR' });
    expect(await samplesLike(gateway.url, 'gateway_tokens_total')).toEqual({
      '{model="image",target="1",kind="text_in"}': 2,
      '{model="image",target="1",kind="image_in"}': 500,
      '{model="image",target="1",kind="image_out"}': 4096,
    });
  });

  test('links to hosted images: all of the response was read before it is sent, so the header has the cost', async () => {
    const gateway = await startPriced({ hosts: true });
    const response = await callGateway(gateway.url, { prompt: 'a cat', response_format: 'url' });
    expect(costHeader(response)).toBe('0.12289');
    expect(await loggedCost(gateway)).toEqual({ cost: 0.12289, currency: 'EUR' });
  });

  test('of many requests are summed exactly', async () => {
    const gateway = await startPriced();
    for (let request = 0; request < 30; request += 1) await callGateway(gateway.url, { prompt: 'a cat' });
    await expect.poll(() => inAll(gateway), patience).toEqual({ [total('image')]: 3.6867 });
  });
});

describe('prices of images', () => {
  test.each([
    ['the family’s own size and quality', {}, '0.04'],
    ['a size and quality that were requested', { size: '1792x1024', quality: 'hd' }, '0.12'],
    ['three calls', { n: 3 }, '0.12'],
  ])('%s: in header, log and metrics', async (_, request, expected) => {
    const gateway = await startPriced();
    const response = await callGateway(gateway.url, { model: 'dall-e-3', prompt: 'a cat', ...request });
    expect(response.status).toBe(200);
    expect(costHeader(response)).toBe(expected);
    expect(await loggedCost(gateway)).toEqual({ cost: Number(expected), currency: 'EUR' });
    expect(await inAll(gateway)).toEqual({ [total('dall-e-3')]: Number(expected) });
  });

  test('of which the response may still say that it is another: in no header', async () => {
    const gateway = await startPriced();
    const response = await callGateway(gateway.url, {
      model: 'dall-e-3',
      prompt: 'a cat',
      response_format: 'b64_json',
    });
    expect(costHeader(response)).toBeNull();
    expect(await loggedCost(gateway)).toEqual({ cost: 0.04, currency: 'EUR' });
  });

  test('that all cost the same: in the header, before the image has come', async () => {
    const prices = { 'dall-e-3': { images: [{ price: 0.03 }] } };
    const gateway = await startPriced({ file: { prices } });
    const response = await callGateway(gateway.url, {
      model: 'dall-e-3',
      prompt: 'a cat',
      response_format: 'b64_json',
    });
    expect(costHeader(response)).toBe('0.03');
    expect(await loggedCost(gateway)).toEqual({ cost: 0.03, currency: 'EUR' });
  });

  test('a stream of several calls: in no header, because most of them are still to be made', async () => {
    const gateway = await startPriced();
    const response = await callGateway(gateway.url, { model: 'dall-e-3', prompt: 'a cat', n: 6, stream: true });
    expect(costHeader(response)).toBeNull();
    expect(await loggedCost(gateway)).toEqual({ cost: 0.24, currency: 'EUR' });
  });

  test('a size without a price: unknown, and no header', async () => {
    const gateway = await startPriced();
    const response = await callGateway(gateway.url, { model: 'dall-e-3', prompt: 'a cat', size: '1792x1024' });
    expect(response.status).toBe(200);
    expect(costHeader(response)).toBeNull();
    expect(await loggedCost(gateway)).toEqual({ cost: null });
    expect(await inAll(gateway)).toEqual({ [unknown('dall-e-3')]: 1 });
  });

  test('the old asynchronous API', async () => {
    const gateway = await startPriced();
    const response = await callGateway(gateway.url, { model: 'dall-e-2', prompt: 'a cat', n: 2 });
    expect(costHeader(response)).toBe('0.04');
    expect(await inAll(gateway)).toEqual({ [total('dall-e-2')]: 0.04 });
  });

  test('what the upstream reports counts, not what was requested', async () => {
    const upstream = await startUpstream(
      (_request, response) =>
        void response.end(JSON.stringify({ data: [{ b64_json: tinyPng }], size: '1536x1024', quality: 'low' })),
    );
    const images = [
      { size: '1536x1024', quality: 'low', price: 0.5 },
      { size: '1024x1024', price: 0.25 },
    ];
    const file = { ...modelsFile(upstream.origin), prices: { 'gpt-image-2': { images } } };
    const gateway = await startGateway(file);
    await callGateway(gateway.url, { prompt: 'a cat', size: '1024x1024', quality: 'high' });
    expect(await loggedCost(gateway)).toEqual({ cost: 0.5, currency: 'USD' });
  });
});

describe('an agent', () => {
  const artist = (origin: string, keys: object) => ({
    models: {
      artist: {
        ...{ provider: 'foundry-agent', model: 'gpt-image-1', baseURL: origin, apiKey: 'simulator-key' },
        ...{ chatDeployment: 'gpt-4.1', imageDeployment: 'gpt-image-1', maxRetries: 0 },
        ...keys,
      },
    },
    defaultModel: 'artist',
  });

  test.each([
    ['tokens, which it does not count', { textIn: 5, imageOut: 40 }, { cost: null }],
    ['an image', { images: [{ price: 0.07 }] }, { cost: 0.07, currency: 'USD' }],
    [
      'an image of the size that it reports',
      { images: [{ size: '1024x1024', price: 0.07 }] },
      { cost: 0.07, currency: 'USD' },
    ],
  ])('with a price of %s', async (_, price, expected) => {
    const simulator = await startSimulator({ partialMs: 1 });
    onTestFinished(() => simulator.close());
    const gateway = await startGateway(artist(simulator.origin, { price }));
    const response = await callGateway(gateway.url, { prompt: 'a cat', size: '1024x1024' });
    expect(response.status).toBe(200);
    expect(await loggedCost(gateway)).toEqual(expected);
  });

  test.each([
    ['has written instead of drawing', 'agent-text-only', 502],
    ['has refused', 'agent-refusal', 400],
    ['was stopped by a limit', 'agent-incomplete', 502],
    ['was stopped by the content filter', 'agent-incomplete-filter', 400],
    ['was cancelled by nobody here', 'agent-cancelled', 502],
  ])('that %s: unknown, and never 0', async (_name, scenario, status) => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const gateway = await startGateway(artist(simulator.origin, {}));
    const response = await callGateway(gateway.url, { prompt: `simulate:${scenario}` });
    expect(response.status).toBe(status);
    expect(await loggedCost(gateway)).toEqual({ cost: null, costMayBeMore: true });
  });

  test('whose tool may prescribe another size has no cost before its response', async () => {
    const item = { type: 'image_generation_call', id: 'ig_1', status: 'completed', result: tinyPng, size: '1536x1024' };
    const upstream = await startUpstream(
      (_request, response) => void response.end(JSON.stringify({ id: 'resp_1', status: 'completed', output: [item] })),
    );
    const price = {
      images: [
        { size: '1024x1024', price: 0.07 },
        { size: '1536x1024', price: 0.09 },
      ],
    };
    const keys = { price, agent: 'painter', chatDeployment: undefined, baseURL: `${upstream.origin}/api/projects/one` };
    const gateway = await startGateway(artist(upstream.origin, keys));
    const reply = await callGateway(gateway.url, { prompt: 'a cat', size: '1024x1024' });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('x-gateway-cost-usd')).toBeNull();
    expect(await loggedCost(gateway)).toEqual({ cost: 0.09, currency: 'USD' });
  });
});

describe('a cost that is not known is never 0:', () => {
  test('without a price', async () => {
    const gateway = await startPriced({ file: { prices: {} } });
    const response = await callGateway(gateway.url, { prompt: 'a cat' });
    expect(costHeader(response)).toBeNull();
    expect(await loggedCost(gateway)).toEqual({ cost: null });
    expect(await inAll(gateway)).toEqual({ [unknown('image')]: 1 });
  });

  test('without usage', async () => {
    const upstream = await startUpstream(
      (_request, response) => void response.end(JSON.stringify({ data: [{ b64_json: tinyPng }] })),
    );
    const gateway = await startGateway({ ...modelsFile(upstream.origin), prices });
    await callGateway(gateway.url, { prompt: 'a cat' });
    expect(await loggedCost(gateway)).toEqual({ cost: null });
    expect(await inAll(gateway)).toEqual({ [unknown('image')]: 1 });
  });

  test.each([
    ['truncated', 'simulate:reset', {}],
    ['of an unknown outcome', 'simulate:reset-before-headers', {}],
    ['of an unknown outcome, for a stream', 'simulate:stream-cut', { stream: true, partial_images: 1 }],
    ['filtered after it was made', 'simulate:filter-200-image', {}],
  ])('of a call that was %s, and may have been billed', async (_, prompt, request) => {
    const gateway = await startPriced();
    await callGateway(gateway.url, { prompt, ...request }).catch(() => {});
    expect(await loggedCost(gateway)).toEqual({ cost: null, costMayBeMore: true });
    await expect.poll(() => inAll(gateway), patience).toEqual({ [uncertain('image')]: 1 });
  });

  test('of a call whose client has disconnected', async () => {
    const upstream = await startUpstream(() => {});
    const gateway = await startGateway({ ...modelsFile(upstream.origin), prices });
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ prompt: 'a cat' }));
    await expect.poll(() => upstream.received, patience).toBe(1);
    socket.destroy();
    await expect.poll(() => inAll(gateway), patience).toEqual({ [uncertain('image')]: 1 });
  });
});

test.each(['simulate:500', 'simulate:429-seconds', 'simulate:404-deployment'])(
  'what Azure fails to make or does not begin costs nothing: %s',
  async (prompt) => {
    const gateway = await startPriced();
    const response = await callGateway(gateway.url, { prompt });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(costHeader(response)).toBeNull();
    expect(await loggedCost(gateway)).toMatchObject({ cost: 0 });
    expect(await inAll(gateway)).toEqual({});
  },
);

test('whether a refused prompt is billed nobody says, so its cost is unknown', async () => {
  const gateway = await startPriced();
  await callGateway(gateway.url, { prompt: 'simulate:moderation-blocked' });
  expect(await loggedCost(gateway)).toEqual({ cost: null, costMayBeMore: true });
  expect(await inAll(gateway)).toEqual({ [uncertain('image')]: 1 });
});

describe('several targets', () => {
  const body = (output_tokens: number) =>
    JSON.stringify({ data: [{ b64_json: tinyPng }], usage: { input_tokens: 0, output_tokens } });

  async function startTwo(east: (response: ServerResponse) => void, modelKeys: object = {}) {
    const [first, second] = [
      await startUpstream((_request, response) => east(response)),
      await startUpstream((_request, response) => void response.end(body(1_000))),
    ];
    const target = (name: string, baseURL: string, priority: number, price: object) => ({
      ...{ name, baseURL, priority, price, apiKey: 'key', provider: 'azure-v1', model: 'gpt-image-2' },
    });
    const targets = [
      target('east', first.origin, 0, { textIn: 1, imageOut: 100 }),
      target('west', second.origin, 1, { textIn: 1, imageOut: 10 }),
    ];
    const models = { poster: { targets, ...modelKeys } };
    return startGateway({ models, defaultModel: 'poster', currency: 'EUR', prices });
  }

  test('the one that made the image has the cost, at its own price', async () => {
    const error = JSON.stringify({ error: { code: 'InternalServerError', message: 'no', type: 'x' } });
    const gateway = await startTwo((response) => void response.writeHead(500).end(error));
    await callGateway(gateway.url, { prompt: 'a cat' });
    expect(await loggedCost(gateway)).toEqual({ cost: 0.01, currency: 'EUR' });
    expect(await inAll(gateway)).toEqual({ [total('poster', 'west')]: 0.01 });
  });

  test('an unknown outcome that was repeated may have been billed, beside the cost that is known', async () => {
    const gateway = await startTwo((response) => void response.destroy(), { onUnknownOutcome: 'retry' });
    await callGateway(gateway.url, { prompt: 'a cat' });
    expect(await loggedCost(gateway)).toEqual({ cost: 0.01, currency: 'EUR', costMayBeMore: true });
    expect(await inAll(gateway)).toEqual({ [total('poster', 'west')]: 0.01, [uncertain('poster', 'east')]: 1 });
  });
});

test('an image that is rejoined is counted once, and has one line for its two requests', async () => {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_request, response) => void held.push(response));
  const file = { ...modelsFile(upstream.origin), prices, currency: 'EUR', limits: { lingerMs: 10_000 } };
  const gateway = await startGateway(file);
  const socket = openSocket(gateway.url);
  socket.write(rawCall({ prompt: 'a cat' }));
  await expect.poll(() => upstream.received, patience).toBe(1);
  socket.destroy();
  await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(1);
  const again = callGateway(gateway.url, { prompt: 'a cat' });
  await expect.poll(() => gateway.app.gateway.orphans, patience).toBe(0);
  held[0]?.end(JSON.stringify({ data: [{ b64_json: tinyPng }], usage: { input_tokens: 2, output_tokens: 4096 } }));
  expect((await again).status).toBe(200);
  await expect.poll(() => inAll(gateway), patience).toEqual({ [total('image')]: cost });
  await expect
    .poll(() => costsIn(gateway), patience)
    .toEqual([
      { cost, currency: 'EUR' },
      { cost, currency: 'EUR' },
    ]);
  expect(gateway.log.filter(({ msg }) => msg === 'generation')).toHaveLength(1);
});
