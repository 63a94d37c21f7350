import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { mockAzure, type Reply } from './mock-azure.ts';
import {
  acceptResponse,
  cancelPath,
  collect,
  foundryBackground,
  imageCall,
  pending,
  rejection,
  responseId,
  responseOf,
  responsePath,
  soon,
  startCall,
} from './providers.ts';

const { paidPath } = foundryBackground;
const finished: Reply = { body: responseOf([imageCall(tinyPng)]) };
const lost = { kind: 'upstream_outcome_unknown', outcome: 'unknown' };
const invalid = { kind: 'upstream_invalid_response', outcome: 'unknown' };
const hasImage = expect.arrayContaining([{ type: 'bytes', base64: tinyPng }]);

describe('a job in the background', () => {
  test('that is queued, runs and completes is polled where its id says, and gives its image', async () => {
    const azure = mockAzure();
    acceptResponse(azure, { body: responseOf([], { status: 'queued' }) }, { body: pending }, finished);
    const call = startCall(foundryBackground);
    expect(await collect(await call.events)).toEqual(hasImage);
    expect(azure.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `POST ${paidPath}`,
      ...Array(3).fill(`GET ${responsePath}`),
    ]);
    expect(azure.requests[1]?.headers).not.toHaveProperty('x-ms-oai-image-generation-deployment');
  });

  test('that has completed already is not polled', async () => {
    const azure = mockAzure();
    azure.post(paidPath, finished);
    expect(await collect(await startCall(foundryBackground).events)).toEqual(hasImage);
  });

  test('that has failed already is not polled either', async () => {
    mockAzure().post(paidPath, { body: responseOf([], { status: 'failed', error: { code: 'server_error' } }) });
    expect(await rejection(startCall(foundryBackground).events)).toMatchObject({ outcome: 'failed' });
  });

  test.each([
    ['incomplete', 'failed'],
    ['failed', 'failed'],
    ['cancelled', 'unknown'],
  ])('that becomes %s has ended, and is not cancelled', async (status, outcome) => {
    acceptResponse(mockAzure(), { body: pending }, { body: responseOf([], { status }) });
    expect(await rejection(startCall(foundryBackground).events)).toMatchObject({ outcome });
  });

  test.each<[string, unknown]>([
    ['no id', undefined],
    ['an id that is no text', 7],
    ['an empty id', ''],
    ['an id that leads elsewhere', '../../admin'],
    ['an id with a query', 'resp_1?x=1'],
    ['an id that begins with a dot', '..'],
    ['an id that is too long', 'r'.repeat(257)],
    ['an id with an escape', 'resp%2f1'],
  ])('with %s may run, and is requested nowhere', async (_name, id) => {
    const azure = mockAzure();
    azure.post(paidPath, { headers: soon, body: { ...pending, id } });
    expect(await rejection(startCall(foundryBackground).events)).toMatchObject(invalid);
    expect(azure.requests).toHaveLength(1);
  });

  test('whose first response is cut leaves open what becomes of it', async () => {
    const azure = mockAzure();
    azure.post(paidPath, { body: JSON.stringify(pending).slice(0, -1), isFramed: false });
    expect(await rejection(startCall(foundryBackground).events)).toMatchObject(lost);
    expect(azure.requests).toHaveLength(1);
  });

  test('is requested as soon as its first response says', async () => {
    const azure = mockAzure();
    azure.post(paidPath, { headers: { 'retry-after': '1' }, body: pending });
    azure.get(responsePath, finished);
    const begin = performance.now();
    await startCall(foundryBackground).events;
    expect(performance.now() - begin).toBeGreaterThan(950);
  });
});

describe('a poll of it', () => {
  test.each<[string, Reply]>([
    ['429', { status: 429, body: { error: { code: '429' } } }],
    ['408', { status: 408 }],
    ['500 with an error object', { status: 500, body: { error: { code: 'server_error', message: 'no' } } }],
    ['502 with the page of a proxy', { status: 502, body: '<html></html>' }],
    ['404, because it is not known everywhere yet', { status: 404, body: { error: { code: 'not_found' } } }],
    ['half a response', { body: JSON.stringify(responseOf([imageCall(tinyPng)])).slice(0, 30), isFramed: false }],
  ])('that gets %s, twice, says nothing of it', async (_name, reply) => {
    const azure = mockAzure();
    acceptResponse(azure, reply, reply, finished);
    expect(await collect(await startCall(foundryBackground).events)).toEqual(hasImage);
    expect(azure.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test.each([400, 401, 403, 404, 410, 307])(
    'that gets %i when no time is left: it is lost, and may have been paid',
    async (status) => {
      const azure = mockAzure();
      acceptResponse(azure, { status, headers: { location: 'https://elsewhere.example.com/' } });
      azure.post(cancelPath, { status });
      expect(await rejection(startCall(foundryBackground, { retryUntil: 0 }).events)).toMatchObject(lost);
      // It runs on for nobody.
      await expect.poll(() => azure.requests.map(({ path }) => path)).toEqual([paidPath, responsePath, cancelPath]);
    },
  );

  describe('that breaks behind the beginning of its image', () => {
    const large = Buffer.concat([Buffer.from(tinyPng, 'base64'), Buffer.alloc(200_000)]).toString('base64');
    const whole = JSON.stringify(responseOf([imageCall(large)]));
    const cutAt = (length: number): Reply => ({ body: whole.slice(0, length), isFramed: false });

    test('is read again, and goes on where it was cut', async () => {
      const azure = mockAzure();
      acceptResponse(azure, cutAt(100_000), cutAt(90_000), cutAt(200_000), { body: whole });
      const events = await collect(await startCall(foundryBackground).events);
      const image = [{ type: 'image' }, { type: 'bytes', base64: large }, { type: 'image-end' }];
      expect(events).toMatchObject([...image, { type: 'done' }]);
      expect(azure.requests).toHaveLength(5);
    });

    test('tears the image where no time is left, and the image is not bought again', async () => {
      const azure = mockAzure();
      acceptResponse(azure, cutAt(100_000));
      const call = startCall(foundryBackground, { retryUntil: 0 });
      const failure = await call.events.then(
        (events) => rejection(collect(events)),
        (error) => error,
      );
      expect(failure).toMatchObject(lost);
      expect(azure.requests).toHaveLength(2);
    });
  });
});

describe('the cancellation of it', () => {
  const interrupt = async (reason: unknown, cancelled: Reply = { body: responseOf([], { status: 'cancelled' }) }) => {
    const azure = mockAzure();
    azure.post(paidPath, { headers: { 'retry-after': '60' }, body: pending });
    azure.post(cancelPath, cancelled);
    const abort = new AbortController();
    const { events } = startCall(foundryBackground, { signal: abort.signal });
    await expect.poll(() => azure.requests.length).toBe(1);
    // The response has to be read, too.
    await new Promise((resolve) => setTimeout(resolve, 50));
    abort.abort(reason);
    expect(await rejection(events)).toBe(reason);
    await expect.poll(() => azure.requests.length).toBe(2);
    return azure;
  };

  test.each(['deadline_exceeded', 'client_gone'] as const)('follows %s, without a body', async (kind) => {
    const azure = await interrupt(new GatewayError(kind, 'enough'));
    expect(azure.requests[1]).toMatchObject({ method: 'POST', path: cancelPath, body: undefined });
    expect(azure.requests[1]?.path).toContain(responseId);
  });

  test.each([404, 409, 500])('that gets %i changes nothing', async (status) => {
    await interrupt(new GatewayError('client_gone', 'gone'), { status, body: 'no' });
  });

  test('is what becomes of a job that outlasts the deadline; it is reported as possibly billed', async () => {
    const azure = mockAzure();
    azure.post(paidPath, { headers: { 'retry-after': '60' }, body: pending });
    azure.post(cancelPath, { body: {} });
    const gateway = await startGateway(oneTarget({ ...foundryBackground.target, timeoutMs: 1_000 }));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect([called.status, called.json().error.code, called.headers.get('x-should-retry')]).toEqual([
      504,
      'upstream_outcome_unknown',
      'false',
    ]);
    await expect.poll(() => azure.requests.length).toBe(2);
  });
});
