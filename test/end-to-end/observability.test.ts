import type { ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { askForm, pngOf } from './priced-edit.ts';
import {
  generationsPath,
  modelsFile,
  openSocket,
  rawCall,
  requestLines,
  startRig,
  startUpstream,
  tinyPng,
} from './rig.ts';
import { samplesLike, samplesOf } from './samples-of.ts';
import { startStore } from './store.ts';

const patience = { timeout: 60_000 };
const image = JSON.stringify({ data: [{ b64_json: tinyPng }] });

/** A gateway in front of an upstream that holds every call until the test answers it. */
async function startHeld(file: object = {}, modelKeys: Record<string, unknown> = {}) {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_request, response) => void held.push(response));
  const gateway = await startGateway({ ...modelsFile(upstream.origin, 30_000, modelKeys), ...file });
  return { held, upstream, gateway, url: gateway.url };
}

describe('metrics move with', () => {
  const route = `route="${generationsPath}"`;
  const at = 'model="image",target="1"';
  const attempts = (outcome: string) => `{provider="azure-deployment",outcome="${outcome}",${at}}`;

  test('a request for JSON: time, images, tokens, bytes, queue', async () => {
    const { url } = await startRig();
    const { text } = await callGateway(url, { prompt: 'a cat', n: 2 });
    await expect
      .poll(() => samplesLike(url, 'gateway_upstream_attempts_total'), patience)
      .toEqual({
        [attempts('delivered')]: 1,
      });
    const samples = await samplesOf(url);
    expect(samples).toMatchObject({
      [`gateway_requests_total{${route},status="200",end="completed"}`]: 1,
      [`gateway_request_duration_seconds_count{${route}}`]: 1,
      'gateway_images_total{model="image"}': 2,
      'gateway_queue_duration_seconds_count{model="image"}': 1,
      [`gateway_upstream_duration_seconds_count{${at}}`]: 1,
      [`gateway_tokens_total{${at},kind="text_in"}`]: 2,
      [`gateway_tokens_total{${at},kind="image_out"}`]: 8192,
      'gateway_bytes_total{direction="out"}': Buffer.byteLength(text),
      gateway_requests_in_flight: 1,
      gateway_generations_in_flight: 0,
      [`gateway_target_breaker_state{${at},state="closed"}`]: 1,
      [`gateway_target_breaker_state{${at},state="open"}`]: 0,
    });
    expect(samples['gateway_bytes_total{direction="in"}']).toBeGreaterThan(100);
    expect(samples[`gateway_upstream_duration_seconds_sum{${at}}`]).toBeGreaterThan(0);
  });

  test('a stream, and an edit', async () => {
    const { url } = await startRig();
    await callGateway(url, { prompt: 'a cat', stream: true, partial_images: 1 });
    expect((await askForm(url, 'a cat', [await pngOf(64)])).status).toBe(200);
    await expect
      .poll(() => samplesLike(url, 'gateway_upstream_attempts_total'), patience)
      .toEqual({
        [attempts('delivered')]: 2,
      });
    const samples = await samplesOf(url);
    expect(samples['gateway_requests_total{route="/v1/images/edits",status="200",end="completed"}']).toBe(1);
    expect(samples['gateway_images_total{model="image"}']).toBe(2);
    expect(samples[`gateway_tokens_total{${at},kind="image_in"}`]).toBe(250);
  });

  test('adaptations, by the words of the closed list', async () => {
    const { url } = await startRig();
    await callGateway(url, { prompt: 'a cat', size: '512x512', style: 'vivid' });
    await callGateway(url, { model: 'dall-e-3', prompt: 'a cat', n: 2 });
    await expect
      .poll(() => samplesLike(url, 'gateway_adaptations_total'), patience)
      .toEqual({
        '{model="image",adaptation="size=512x512>1024x1024"}': 1,
        '{model="image",adaptation="style=removed"}': 1,
        '{model="dall-e-3",adaptation="n=fan-out"}': 1,
      });
    expect(await samplesLike(url, 'gateway_upstream_attempts_total')).toMatchObject({
      '{provider="azure-deployment",outcome="delivered",model="dall-e-3",target="1"}': 2,
    });
  });

  test.each([
    ['refused', 'simulate:moderation-blocked'],
    ['failed', 'simulate:500'],
    ['not-processed', 'simulate:429-quota'],
    ['unknown', 'simulate:reset-before-headers'],
    ['truncated', 'simulate:reset'],
  ])('a call that ends as %s', async (outcome, prompt) => {
    const { url } = await startRig();
    await callGateway(url, { prompt }).catch(() => {});
    await expect
      .poll(() => samplesLike(url, 'gateway_upstream_attempts_total'), patience)
      .toEqual({
        [attempts(outcome)]: 1,
      });
  });

  test('what is in flight, and what waits', async () => {
    const { held, upstream, url, gateway } = await startHeld({}, { maxConcurrent: 1 });
    const calls = [callGateway(url, { prompt: 'a cat' }), callGateway(url, { prompt: 'a dog' })];
    await expect.poll(() => upstream.received, patience).toBe(1);
    await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(2);
    expect(await samplesOf(url)).toMatchObject({
      gateway_requests_in_flight: 3,
      gateway_generations_in_flight: 2,
      [`gateway_target_calls_in_flight{${at}}`]: 1,
      [`gateway_target_calls_waiting{${at}}`]: 1,
      gateway_held_bytes: expect.closeTo(2 * 1024 * 1024, -3),
    });
    held[0]?.end(image);
    await expect.poll(() => held.length, patience).toBe(2);
    held[1]?.end(image);
    await Promise.all(calls);
    await expect
      .poll(() => samplesOf(url), patience)
      .toMatchObject({
        gateway_requests_in_flight: 1,
        gateway_generations_in_flight: 0,
        gateway_held_bytes: 0,
        [`gateway_target_calls_in_flight{${at}}`]: 0,
        [`gateway_target_calls_waiting{${at}}`]: 0,
      });
  });

  test('requests that wait for their turn', async () => {
    const { held, upstream, url } = await startHeld({ limits: { inFlight: 1, lingerMs: 0 } });
    const calls = [callGateway(url, { prompt: 'a cat' }), callGateway(url, { prompt: 'a dog' })];
    await expect.poll(() => upstream.received, patience).toBe(1);
    await expect.poll(async () => (await samplesOf(url)).gateway_requests_waiting, patience).toBe(1);
    held[0]?.end(image);
    await expect.poll(() => held.length, patience).toBe(2);
    held[1]?.end(image);
    await Promise.all(calls);
    expect((await samplesOf(url)).gateway_requests_waiting).toBe(0);
  });

  test('a caller that leaves, and one that takes its image over', async () => {
    const { held, upstream, url } = await startHeld({ limits: { lingerMs: 10_000 } });
    const socket = openSocket(url);
    socket.write(rawCall({ prompt: 'a cat' }));
    await expect.poll(() => upstream.received, patience).toBe(1);
    socket.destroy();
    await expect.poll(async () => (await samplesOf(url)).gateway_orphans, patience).toBe(1);
    const again = callGateway(url, { prompt: 'a cat' });
    await expect.poll(async () => (await samplesOf(url)).gateway_orphans, patience).toBe(0);
    held[0]?.end(image);
    await again;
    await expect
      .poll(() => samplesLike(url, 'gateway_upstream_attempts_total'), patience)
      .toEqual({
        [attempts('delivered')]: 1,
      });
    expect(await samplesOf(url)).toMatchObject({
      'gateway_retries_arrived_total{end="rejoined"}': 1,
      [`gateway_requests_total{${route},status="499",end="disconnected"}`]: 1,
      'gateway_images_total{model="image"}': 1,
    });
  });

  test('a target that is left alone, and one that asks for a wait', async () => {
    const { url } = await startRig();
    await callGateway(url, { prompt: 'simulate:404-deployment' });
    await callGateway(url, { model: 'dall-e-3', prompt: 'simulate:429-seconds' });
    expect(await samplesOf(url)).toMatchObject({
      [`gateway_target_breaker_state{${at},state="open"}`]: 1,
      [`gateway_target_breaker_state{${at},state="closed"}`]: 0,
      'gateway_target_cooling_down{model="dall-e-3",target="1"}': 1,
      [`gateway_target_cooling_down{${at}}`]: 0,
    });
  });

  test('nothing that a caller can choose', async () => {
    const { url } = await startRig();
    const word = 'chosen-by-a-caller';
    const prompt = 'what a caller writes';
    await callGateway(url, { prompt, user: word, size: word, quality: word, model: word });
    await callGateway(url, { prompt, user: word }, { headers: { 'x-request-id': word, 'user-agent': word } });
    await callGateway(url, { prompt }, { path: `/openai/deployments/${word}/images/generations` });
    await callGateway(url, { prompt }, { path: `/v1/${word}?${word}=${word}` });
    await fetch(`${url}/metrics`, { method: word, headers: { 'api-key': gatewayKey, [word]: word } }).catch(() => {});
    expect(JSON.stringify(await samplesOf(url))).not.toMatch(/chosen-by-a-caller|what a caller writes/);
  });
});

describe('the log lines of a request and its generation', () => {
  test('have its steps, bytes, outcome and cost', async () => {
    const { url, logText } = await startRig({ modelKeys: { price: { textIn: 5, imageOut: 30 } } });
    const { text } = await callGateway(url, { prompt: 'a cat' });
    const { log } = await settledLog(url, logText);
    const [request = {}, generation = {}] = ['request', 'generation'].map((name) =>
      log.find(({ msg }) => msg === name),
    );
    expect(request.generation).toBe(generation.generation);
    const line = { ...generation, ...request };
    expect(line).toMatchObject({
      ...{ method: 'POST', route: generationsPath, status: 200, end: 'completed', outcome: 'delivered' },
      ...{ model: 'image', target: '1', provider: 'azure-deployment', attempts: 1, sent: true, adaptations: [] },
      ...{ count: 1, images: 1, cost: 0.12289, currency: 'USD', bytesOut: Buffer.byteLength(text) },
    });
    const steps = ['receiveMs', 'queueMs', 'upstreamMs', 'transferMs'].map((name) => line[name]);
    expect(steps.every((ms) => Number.isInteger(ms) && Number(ms) >= 0)).toBe(true);
    // Each is rounded.
    expect(steps.reduce<number>((sum, ms) => sum + Number(ms), 0)).toBeLessThanOrEqual(Number(line.durationMs) + 2);
    expect(line.bytesIn).toBeGreaterThan(50);
  });

  test('is followed at level debug by a line per call, with target, outcome, status and time', async () => {
    const error = JSON.stringify({ error: { code: 'InternalServerError', message: 'no', type: 'x' } });
    let asked = 0;
    const upstream = await startUpstream((_request, response) => {
      asked += 1;
      if (asked === 1) response.writeHead(500, { 'apim-request-id': 'azure-1' }).end(error);
      else response.end(image);
    });
    const gateway = await startGateway(modelsFile(upstream.origin, 30_000, { maxRetries: 1 }), {
      times: { backoffMs: 1, maxBackoffMs: 2, minLeftMs: 0 },
    });
    const headers = { 'x-request-id': 'the-request' };
    expect((await callGateway(gateway.url, { prompt: 'a cat' }, { headers })).status).toBe(200);
    const lines = () => gateway.log.filter(({ msg }) => msg === 'attempt');
    await expect.poll(() => lines().length, patience).toBe(2);
    const common = {
      requestId: 'the-request',
      model: 'image',
      target: '1',
      provider: 'azure-deployment',
      sent: true,
    };
    const times = { queueMs: expect.any(Number), upstreamMs: expect.any(Number) };
    expect(lines()).toMatchObject([
      {
        ...{ ...common, ...times, outcome: 'failed', status: 500 },
        error: { kind: 'upstream_generation_failed', upstream: { status: 500, code: 'InternalServerError' } },
        ...{ upstreamRequestId: 'azure-1', cost: 0 },
      },
      { ...common, ...times, outcome: 'delivered', status: 200, cost: null },
    ]);
  });
});

/** The log once the gateway has told of everything that it was asked before. */
async function settledLog(url: string, text: () => string): Promise<{ log: Record<string, unknown>[] }> {
  await fetch(`${url}/healthz`);
  await expect.poll(text, patience).toContain('"route":"/healthz"');
  return {
    log: text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('a trace', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
  const told = (rig: { simulator: { ledger: { requests: readonly { method: string; headers: object }[] } } }) =>
    rig.simulator.ledger.requests
      .filter(({ method }) => method === 'POST')
      .map(({ headers }) => (headers as Record<string, string | undefined>).traceparent);

  test.each([
    ['JSON', {}],
    ['a stream', { stream: true }],
    ['the old asynchronous API', { model: 'dall-e-2' }],
    ['the v1 API', { model: 'studio/poster' }],
  ])('goes to Azure with an id of its own for the call, and into the log: %s', async (_, request) => {
    const rig = await startRig();
    await callGateway(rig.url, { prompt: 'a cat', ...request }, { headers: { traceparent, tracestate: 'a=b' } });
    expect(told(rig)).toEqual([expect.stringMatching(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))]);
    expect(told(rig)[0]).not.toBe(traceparent);
    expect(JSON.stringify(rig.simulator.ledger.requests)).not.toContain('tracestate');
    await expect.poll(() => requestLines(rig).map((line) => line.traceId), patience).toEqual([traceId]);
    await expect
      .poll(() => rig.log.filter(({ msg }) => msg === 'attempt').map((line) => line.traceId), patience)
      .toEqual([traceId]);
  });

  test('has another id for each of several calls', async () => {
    const rig = await startRig();
    await callGateway(rig.url, { model: 'dall-e-3', prompt: 'a cat', n: 3 }, { headers: { traceparent } });
    expect(new Set(told(rig)).size).toBe(3);
    expect(told(rig).every((header) => header?.startsWith(`00-${traceId}-`))).toBe(true);
  });

  test.each([
    ['missing', undefined],
    ['not valid', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ['not even alike', 'trace-canary'],
  ])('that is %s is not invented, nor told', async (_, header) => {
    const rig = await startRig();
    await callGateway(rig.url, { prompt: 'a cat' }, header === undefined ? {} : { headers: { traceparent: header } });
    expect(told(rig)).toEqual([undefined]);
    await expect.poll(() => requestLines(rig).length, patience).toBe(1);
    expect(rig.logText()).not.toContain('traceId');
    expect(rig.logText()).not.toContain('trace-canary');
  });
});

test('no prompt, key, image, signature or query is in metrics and log, whatever happens', async () => {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  onTestFinished(() => simulator.close());
  const price = { textIn: 5, imageIn: 8, imageOut: 30 };
  const models = modelsFile(simulator.origin, 60_000, { apiKey: simulator.apiKey, price });
  const { store } = await startStore();
  const { url, logText } = await startGateway(models, { store });
  const secret = 'prompt-canary';
  const edge = await pngOf(64);
  const asked: object[] = [
    { stream: true, partial_images: 1 },
    { n: 2, stream: true },
    { response_format: 'url' },
    { model: 'dall-e-3', n: 2 },
    { model: 'dall-e-3', response_format: 'b64_json' },
    { model: 'dall-e-2' },
    { user: 'user-canary', size: 'size-canary' },
    { model: 'model-canary' },
  ];
  const scenarios = ['', 'simulate:500', 'simulate:moderation-blocked', 'simulate:reset', 'simulate:500-html'];
  for (const request of asked) await callGateway(url, { prompt: secret, ...request }).catch(() => {});
  for (const scenario of scenarios) await callGateway(url, { prompt: `${secret} ${scenario}` }).catch(() => {});
  await callGateway(url, { prompt: secret }, { path: `${generationsPath}?code=query-canary` });
  await askForm(url, secret, [edge]);
  await callGateway(url, { prompt: secret }, { headers: { authorization: 'Bearer other-key-canary' } });
  await settledLog(url, logText);
  const metrics = await (await fetch(`${url}/metrics`, { headers: { 'api-key': gatewayKey } })).text();
  const told = logText() + metrics;
  expect(told).toContain('gateway_cost_total{');
  expect(told).toContain('"msg":"attempt"');
  const forbidden = [
    'canary',
    gatewayKey,
    simulator.apiKey,
    'iVBOR',
    edge.toString('base64').slice(0, 40),
    'sig=',
    '?',
  ];
  expect(forbidden.filter((text) => told.includes(text))).toEqual([]);
});
