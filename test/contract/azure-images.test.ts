import { describe, expect, test } from 'vitest';
import { capturedErrors } from '../fixtures/azure-errors.ts';
import { imagesResponses } from '../fixtures/azure-responses.ts';
import { otherPng, tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { mockAzure } from './mock-azure.ts';
import { azureDeployment, collect, rejection, startCall, synchronousProviders } from './providers.ts';

const responses = imagesResponses.map((response) => [response.name, response] as const);
const filtered = { error: { code: 'contentFilter', message: 'Generated image was filtered. body-canary' } };

describe.each(synchronousProviders)('a response of $name', (provider) => {
  test.each(responses)('%s: its events', async (_name, { body, events }) => {
    mockAzure().post(provider.paidPath, { body });
    const call = startCall(provider);
    expect(await collect(await call.events)).toEqual(events);
    expect(call.anomalies).toEqual([]);
  });

  test.each(responses)('%s: what the caller gets', async (_name, { body, reported }) => {
    mockAzure().post(provider.paidPath, { headers: { 'x-ms-region': 'region-canary' }, body });
    const gateway = await startGateway(oneTarget({ ...provider.target, model: 'dall-e-3' }));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a prompt-canary' });
    expect([called.status, called.json()]).toEqual([200, reported]);
    expect(`${called.text}${JSON.stringify([...called.headers])}`).not.toMatch(/filter|severity|canary/);
  });

  test('JSON that calls itself text/plain is read all the same', async () => {
    mockAzure().post(provider.paidPath, { body: JSON.stringify({ created: 5, data: [{ b64_json: tinyPng }] }) });
    const events = await collect(await startCall(provider).events);
    expect(events.at(-1)).toEqual({ type: 'done', created: 5 });
  });

  test('a body that only the end of the connection ends is a success when its JSON is complete', async () => {
    mockAzure().post(provider.paidPath, { isFramed: false, body: { data: [{ b64_json: tinyPng }] } });
    expect(await collect(await startCall(provider).events)).toHaveLength(4);
  });

  test('escaped slashes of base64 are resolved', async () => {
    const body = JSON.stringify({ data: [{ b64_json: tinyPng }] }).replaceAll('/', '\\/');
    mockAzure().post(provider.paidPath, { body });
    expect(await collect(await startCall(provider).events)).toContainEqual({ type: 'bytes', base64: tinyPng });
  });

  test('an ampersand that is written as an escape is one in the link', async () => {
    mockAzure().post(provider.paidPath, {
      body: '{"data":[{"url":"https://example.blob.core.windows.net/a?se=1\\u0026sig=x"}]}',
    });
    const [link] = await collect(await startCall(provider).events);
    expect(link).toEqual({ type: 'url', index: 0, url: 'https://example.blob.core.windows.net/a?se=1&sig=x' });
  });

  test.each(capturedErrors.slice(2, 4).map(({ name, body }) => [name, body] as const))(
    '200 with an error member, %s: the content was refused',
    async (_name, body) => {
      mockAzure().post(provider.paidPath, { body });
      expect(await rejection(startCall(provider).events)).toMatchObject({
        kind: 'content_policy_violation',
        outcome: 'refused',
      });
    },
  );

  test.each([
    ['all items filtered', { data: [filtered, filtered] }],
    ['the first of two items filtered', { data: [filtered, { b64_json: tinyPng }] }],
    ['the last of two links filtered', { data: [{ url: 'https://example.blob.core.windows.net/a' }, filtered] }],
    ['an error behind an empty list', { data: [], ...filtered }],
  ])('200 with %s: the content was refused, before any event', async (_name, body) => {
    mockAzure().post(provider.paidPath, { body });
    expect(await rejection(startCall(provider).events)).toMatchObject({
      kind: 'content_policy_violation',
      outcome: 'refused',
    });
  });

  test('200 with a filtered item behind an image: the events break after the image', async () => {
    mockAzure().post(provider.paidPath, { body: { data: [{ b64_json: tinyPng }, filtered] } });
    const events = await startCall(provider).events;
    expect(await rejection(collect(events))).toMatchObject({ kind: 'content_policy_violation', outcome: 'refused' });
  });

  test.each([
    ['a failure of the server', { code: 'server_error' }, 'upstream_generation_failed', 'failed'],
    ['a user error', { type: 'image_generation_user_error', code: null }, 'upstream_refused_request', 'refused'],
    ['a limit', { type: 'requests', message: 'Too many.' }, 'upstream_rate_limited', 'not-processed'],
    ['a status of its own', { status: 401, message: 'No.' }, 'upstream_auth_failed', 'not-processed'],
  ])('200 with an error that is %s: the same as with its own status', async (_name, error, kind, outcome) => {
    mockAzure().post(provider.paidPath, { body: { error } });
    expect(await rejection(startCall(provider).events)).toMatchObject({ kind, outcome });
  });

  test('200 with an error that says nothing of its kind: nobody knows what was made', async () => {
    mockAzure().post(provider.paidPath, { body: { error: { code: 'somehow', message: 'body-canary' } } });
    expect(await rejection(startCall(provider).events)).toMatchObject({
      kind: 'upstream_invalid_response',
      outcome: 'unknown',
    });
  });

  test.each([
    ['a failure', { code: 'InternalError' }, 'unknown'],
    ['a rate limit', { code: 'rate_limit_exceeded' }, 'unknown'],
    [
      'a refusal without a code',
      { message: 'Generated image was filtered as a result of our safety system.' },
      'refused',
    ],
  ])('200 with %s in an item: the other images are not bought again', async (_, error, outcome) => {
    mockAzure().post(provider.paidPath, { body: { data: [{ error }, { b64_json: tinyPng }] } });
    expect(await rejection(startCall(provider).events)).toMatchObject({ outcome });
  });

  test.each([
    ['no data', { created: 5 }],
    ['data that is null', { data: null }],
    ['an empty list', { data: [] }],
    ['an item without an image', { data: [{ revised_prompt: 'a cat' }] }],
    ['an item that is null', { data: [null] }],
    ['an empty image', { data: [{ b64_json: '' }] }],
    ['bytes that are no image', { data: [{ b64_json: Buffer.from('<html>not an image</html>').toString('base64') }] }],
    ['a data URL in the place of base64', { data: [{ b64_json: `data:image/png;base64,${tinyPng}` }] }],
    ['a link that is none', { data: [{ url: 'not a link' }] }],
    ['two images in one item', `{"data":[{"b64_json":"${tinyPng}","b64_json":"${otherPng}"}]}`],
  ])('200 with %s: paid for and lost', async (_name, body) => {
    mockAzure().post(provider.paidPath, { body });
    expect(await rejection(startCall(provider).events)).toMatchObject({
      kind: 'upstream_invalid_response',
      outcome: 'unknown',
    });
  });

  test.each([0, -1, 1.5, '1713833628', null, 1e300])('created %j is not passed on', async (created) => {
    mockAzure().post(provider.paidPath, { body: { created, data: [{ b64_json: tinyPng }] } });
    const events = await collect(await startCall(provider).events);
    expect(events.at(-1)).toEqual({ type: 'done' });
  });

  test('a value beside the image that is too long is left out, and counted', async () => {
    mockAzure().post(provider.paidPath, {
      body: { data: [{ b64_json: tinyPng, revised_prompt: 'a'.repeat(70_000) }], usage: { total_tokens: 1 } },
    });
    const call = startCall(provider);
    const events = await collect(await call.events);
    expect(events.slice(2)).toEqual([
      { type: 'image-end', index: 0 },
      { type: 'done', usage: { total_tokens: 1 } },
    ]);
    expect(call.anomalies).toEqual(['value_dropped']);
  });
});

describe('a caller', () => {
  test('of a response without created gets the time of the gateway', async () => {
    mockAzure().post(azureDeployment.paidPath, { body: { data: [{ b64_json: tinyPng }] } });
    const gateway = await startGateway(oneTarget(azureDeployment.target));
    const { created } = (await callGateway(gateway.url, { model: 'image', prompt: 'a cat' })).json();
    expect(Math.abs(created - Date.now() / 1000)).toBeLessThan(5);
  });

  test('of a response with a filtered item behind an image: it is truncated, never ended as if it were complete', async () => {
    mockAzure().post(azureDeployment.paidPath, { body: { data: [{ b64_json: tinyPng }, filtered] } });
    const gateway = await startGateway(oneTarget(azureDeployment.target));
    await expect(callGateway(gateway.url, { model: 'image', prompt: 'a cat' })).rejects.toThrow();
    expect(gateway.log.findLast(({ msg }) => msg === 'request')).toMatchObject({
      end: 'truncated',
      error: { kind: 'content_policy_violation' },
    });
  });

  test('of a short response with a filtered item behind an image gets an error, where several were requested', async () => {
    mockAzure().post(azureDeployment.paidPath, { body: { data: [{ b64_json: tinyPng }, filtered] } });
    const gateway = await startGateway(oneTarget(azureDeployment.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', n: 2 });
    expect([called.status, called.json().error.code]).toEqual([400, 'content_policy_violation']);
  });

  test.each([
    ['a paid response without an image', { data: [] }, 502, 'upstream_invalid_response', 'false'],
    ['a filtered image', { data: [filtered] }, 400, 'content_policy_violation', null],
    ['an error inside a 200', { error: { code: 'somehow' } }, 502, 'upstream_invalid_response', 'false'],
  ])('of %s gets an error before the first byte', async (_name, body, status, code, shouldRetry) => {
    mockAzure().post(azureDeployment.paidPath, { body });
    const gateway = await startGateway(oneTarget(azureDeployment.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect([called.status, called.json().error.code, called.headers.get('x-should-retry')]).toEqual([
      status,
      code,
      shouldRetry,
    ]);
    expect(called.text).not.toContain('canary');
  });
});
