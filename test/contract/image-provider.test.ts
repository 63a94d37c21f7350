import { describe, expect, test } from 'vitest';
import { providerOf } from '../../src/app.ts';
import type { TargetConfig } from '../../src/config/models-config.ts';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { CallEvents } from '../../src/generations/call-events.ts';
import { otherPng, tinyPng } from '../fixtures/images.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { oneTarget } from '../helpers/start-gateway.ts';
import { azureOrigin, type MockedAzure, mockAzure, type Reply } from './mock-azure.ts';
import {
  acceptOperation,
  acceptResponse,
  allProviders,
  azureAsyncFlow,
  cancelPath,
  collect,
  foundryBackground,
  foundryProviders,
  imageCall,
  message,
  operationPath,
  type ProviderUnderTest,
  pending,
  rejection,
  responseOf,
  startCall,
} from './providers.ts';

const links = [0, 1, 2].map((index) => `https://example.blob.core.windows.net/private/${index}.png?sig=a%2Fb&se=1`);
const created = 1685064331;

/** Each provider's own way to succeed with so many images, and the events that it stands for. */
function succeed(provider: ProviderUnderTest, azure: MockedAzure, count: number): object[] {
  const { paidPath } = provider;
  if (provider === azureAsyncFlow) {
    const data = links.slice(0, count).map((url) => ({ url }));
    acceptOperation(
      azure,
      { body: { status: 'running' } },
      { body: { status: 'succeeded', result: { created, data } } },
    );
    return [...data.map(({ url }, index) => ({ type: 'url', index, url })), { type: 'done', created }];
  }
  const images = [tinyPng, otherPng, tinyPng].slice(0, count);
  if (foundryProviders.includes(provider)) {
    const calls = images.map((base64, index) => imageCall(base64, { id: `ig_${index}`, size: '1024x1024' }));
    const body = responseOf([...calls, message], { created_at: created });
    if (provider === foundryBackground) acceptResponse(azure, { body: pending }, { body });
    else azure.post(paidPath, { body });
    const facts = { size: '1024x1024' };
    return [
      ...images.flatMap((base64, index) => [
        { type: 'image', index, isPartial: false },
        { type: 'bytes', base64 },
        { type: 'image-end', index, facts, created },
      ]),
      { type: 'done', created, facts },
    ];
  }
  azure.post(paidPath, { body: { created, data: images.map((b64_json) => ({ b64_json })) } });
  return [
    ...images.flatMap((base64, index) => [
      { type: 'image', index, isPartial: false },
      { type: 'bytes', base64 },
      { type: 'image-end', index },
    ]),
    { type: 'done', created },
  ];
}

describe.each(allProviders)('$name', (provider) => {
  test.each([1, 2, 3])('a success with %i images: their events in order, done at the end', async (count) => {
    const azure = mockAzure();
    const expected = succeed(provider, azure, count);
    const { events, attempt, anomalies } = startCall(provider, { request: { count } });
    const counted = new CallEvents(await events);
    expect(await collect(counted)).toEqual(expected);
    expect(attempt.sent).toBe(true);
    expect(counted.made).toMatchObject({ images: count });
    expect(anomalies).toEqual([]);
  });

  test.each([
    ['apim-request-id', { 'apim-request-id': 'id-1', 'x-ms-request-id': 'id-2', 'x-request-id': 'id-3' }, 'id-1'],
    ['x-ms-request-id', { 'x-ms-request-id': 'id-2', 'x-request-id': 'id-3' }, 'id-2'],
    ['x-request-id', { 'x-request-id': 'id-3' }, 'id-3'],
    ['an id with a blank', { 'x-request-id': 'id 4' }, undefined],
    ['an id that is too long', { 'x-request-id': 'i'.repeat(129) }, undefined],
    ['no id', {}, undefined],
  ])('the upstream’s request id is noted from %s', async (_name, headers, expected) => {
    mockAzure().post(provider.paidPath, { status: 500, headers, body: { error: { message: 'no' } } });
    const { attempt, events } = startCall(provider);
    await rejection(events);
    const noted = expected === undefined ? {} : { upstreamRequestId: expected };
    expect(attempt).toEqual({ sent: true, status: 500, ...noted });
  });

  test('a signal that is aborted beforehand: rejects with its reason, and nothing is sent', async () => {
    const azure = mockAzure();
    const reason = new GatewayError('client_gone', 'gone');
    const { attempt, events } = startCall(provider, { signal: AbortSignal.abort(reason) });
    expect(await rejection(events)).toBe(reason);
    expect(attempt.sent).toBe(false);
    expect(azure.requests).toEqual([]);
  });

  test('a signal that is aborted while the upstream works: rejects at once with its reason', async () => {
    const azure = mockAzure();
    if (provider === azureAsyncFlow) {
      azure.post(provider.paidPath, {
        status: 202,
        headers: { 'operation-location': `${azureOrigin}${operationPath}`, 'retry-after': '60' },
      });
    } else if (provider === foundryBackground) {
      azure.post(provider.paidPath, { headers: { 'retry-after': '60' }, body: pending });
      azure.post(cancelPath, { body: responseOf([], { status: 'cancelled' }) });
    } else {
      azure.post(provider.paidPath, { body: { data: [{ b64_json: tinyPng }] }, afterMs: 300 });
    }
    const reason = new GatewayError('deadline_exceeded', 'too late');
    const interrupt = new AbortController();
    const { attempt, events } = startCall(provider, { signal: interrupt.signal });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const begin = performance.now();
    interrupt.abort(reason);
    expect(await rejection(events)).toBe(reason);
    expect(performance.now() - begin).toBeLessThan(150);
    expect(attempt.sent).toBe(true);
    // The late response of a mock must not fall into the next test.
    await new Promise((resolve) => setTimeout(resolve, 300));
  });

  test.each<[string, Reply]>([
    ['no body', { body: '' }],
    ['an empty object', { body: {} }],
    ['a text that is no JSON', { body: 'OK' }],
    ['the page of a proxy', { body: '<html></html>' }],
    ['a list', { body: [] }],
  ])('a success with %s: paid for and lost, so its outcome is unknown', async (_name, reply) => {
    mockAzure().post(provider.paidPath, reply);
    const { attempt, events } = startCall(provider);
    expect(await rejection(events)).toMatchObject({
      name: 'GatewayError',
      kind: 'upstream_invalid_response',
      outcome: 'unknown',
    });
    expect(attempt.sent).toBe(true);
  });

  test('its name and its address are what the operator is shown', () => {
    const { models } = parseModels(JSON.stringify(oneTarget(provider.target)), {});
    const target = models[0]?.targets[0] as TargetConfig;
    const descriptor = providerOf(target);
    expect(provider.name).toMatch(new RegExp(`^${descriptor.id}`));
    expect(descriptor.addresses(target)).toMatchObject([{ url: `${azureOrigin}${provider.paidPath}` }]);
    if (provider.name.endsWith('background')) {
      expect(descriptor.addresses(target)[0]?.remarks).toContain('in the background');
    }
  });
});
