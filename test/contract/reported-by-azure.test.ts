import { describe, expect, test } from 'vitest';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, oneTarget, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { mockAzure, type Reply } from './mock-azure.ts';
import { azureDeployment, deployment, foundryTool } from './providers.ts';

const prompt = 'a heron that stands on one leg in the morning mist';
const { paidPath, target } = azureDeployment;

/** What is reported of one failed call to the caller and in the log. */
async function reportOf(reply: Reply, body: object = {}, models: object = oneTarget(target)) {
  mockAzure().post(paidPath, reply);
  const gateway = await startGateway(models);
  const called = await callGateway(gateway.url, { model: 'image', prompt, ...body });
  return { called, logged: loggedError(gateway) };
}

function loggedError({ log }: StartedGateway) {
  const line = log.findLast(({ msg }) => msg === 'request');
  return line?.error as { upstream?: { code?: string; message?: string }; hint?: string } | undefined;
}

const errorReply = (status: number, error: object, more: object = {}): Reply => ({ status, body: { error, ...more } });

describe('what Azure says about a failure', () => {
  test('stands in the log with its own code, and never in the response', async () => {
    const message = 'The quality of the images for this deployment is not available in Sweden.';
    const { called, logged } = await reportOf(errorReply(400, { code: 'Some_OwnCode', message }));
    expect(logged?.upstream).toEqual({ status: 400, code: 'Some_OwnCode', message });
    expect(called.text).not.toMatch(/Sweden|Some_OwnCode/);
  });

  test('is cut to 500 characters', async () => {
    const { logged } = await reportOf(errorReply(400, { code: 'x', message: 'word '.repeat(400) }));
    expect(logged?.upstream?.message).toHaveLength(500);
  });

  test.each([
    ['the whole prompt', `No: "${prompt}" is not allowed.`],
    ['a part of the prompt', 'No: "stands on one leg in the" is not allowed.'],
    ['the prompt in upper case', `No: ${prompt.toUpperCase()} is not allowed.`],
    ['the prompt as JSON has it', `No: ${JSON.stringify('a heron that\nstands on one leg')} is not allowed.`],
    ['the prompt beyond the limit', `${'word '.repeat(97)}${prompt} is not allowed.`],
  ])('loses %s that it quotes', async (_name, message) => {
    const { logged } = await reportOf(errorReply(400, { code: 'x', message }));
    expect(logged?.upstream?.message).toMatch(/^(No|word)/);
    expect(logged?.upstream?.message?.toLowerCase()).not.toMatch(/heron|one leg|morning|mist/);
  });

  test.each([
    ['a key', 'The key 0123456789abcdef0123456789abcdef is not valid.', /0123456789abcdef/],
    [
      'a token',
      'Bearer eyJhbGciOiJSUzI1NiJ9eyJhdWQiOiJodHRwczo.eyJpc3MiOiJodHRwczov.c2lnbmF0dXJl is not valid.',
      /eyJ|c2ln/,
    ],
    ['a signature', 'https://store.example/a.png?sv=2024&sig=abc%2Fd is gone.', /sig=|abc%2F/],
  ])('loses %s that it quotes', async (_name, message, secret) => {
    const { logged } = await reportOf(errorReply(401, { code: '401', message }));
    expect(logged?.upstream?.message).toMatch(/\[redacted\]/);
    expect(logged?.upstream?.message).not.toMatch(secret);
  });

  test('keeps the request id that support asks for', async () => {
    const message = 'Contact us and include the request ID 0f8fad5b-d9cb-469f-a165-70867728950e.';
    const { logged } = await reportOf(errorReply(500, { code: 'x', message }));
    expect(logged?.upstream?.message).toBe(message);
  });

  test.each<[string, Reply]>([
    [
      'in the flat form of API Management',
      { status: 403, body: { statusCode: 403, message: 'Quota of the front door.' } },
    ],
    ['as a text in the place of the error', { status: 400, body: { error: 'Quota of the front door.' } }],
  ])('is found %s', async (_name, reply) => {
    expect((await reportOf(reply)).logged?.upstream?.message).toBe('Quota of the front door.');
  });

  test('is a warning where another target has served the request, because its operator has to mend it', async () => {
    const azure = mockAzure();
    azure.post(paidPath, errorReply(401, { code: '401', message: 'Access denied due to an old key.' }), {
      body: { data: [{ b64_json: tinyPng }] },
    });
    const { maxRetries: _, ...once } = target;
    const gateway = await startGateway({ models: { image: { targets: [once, { ...once, priority: 1 }] } } });
    expect((await callGateway(gateway.url, { model: 'image', prompt })).status).toBe(200);
    const line = gateway.log.find(({ msg, level }) => msg === 'attempt' && level === 40);
    expect(line).toMatchObject({ target: '1', error: { upstream: { message: 'Access denied due to an old key.' } } });
  });
});

describe('the hint names one cause:', () => {
  test.each<[string, Reply, RegExp]>([
    [
      'an unknown deployment',
      errorReply(404, { code: 'DeploymentNotFound', message: 'It does not exist.' }),
      new RegExp(`no deployment '${deployment}'`),
    ],
    ['an unknown path', errorReply(404, { code: '404', message: 'Resource not found' }), /path does not exist/],
    ['a retired model', errorReply(410, { code: 'ModelDeprecated', message: 'deprecated' }), /retired/],
    [
      'a chat model',
      errorReply(400, { code: 'OperationNotSupported', message: 'The operation does not work.' }),
      /makes no images/,
    ],
    [
      'an old api-version',
      errorReply(400, { code: 'InvalidApiVersionParameter', message: 'Unsupported api-version.' }),
      /api-version/,
    ],
    ['an unpaid account', errorReply(402, { code: 'PaymentRequired', message: 'Pay.' }), /paid/],
    ['a wrong key', errorReply(401, { code: '401', message: 'Access denied' }), /credential/],
    ['a redirect', { status: 302, body: '' }, /redirects/],
  ])('%s', async (_name, reply, hint) => {
    const { called, logged } = await reportOf(reply);
    expect(logged?.hint).toMatch(hint);
    expect(called.status).toBe(502);
  });
});

describe('a refusal of the content names its categories to the caller,', () => {
  const code = 'content_policy_violation';
  const results = { violence: { filtered: true, severity: 'high' }, hate: { filtered: false, severity: 'safe' } };
  test.each<[string, object]>([
    ['from inner_error', { code, inner_error: { content_filter_results: results } }],
    ['from innererror in the other spelling', { code, innererror: { content_filter_result: results } }],
    ['from the error itself', { code, content_filter_results: results }],
    ['from details', { code, details: [{ content_filter_results: results }] }],
    ['from its text', { code, message: 'Refused by the safety system. safety_violations=[violence].' }],
    ['from moderation_details', { code, moderation_details: { moderation_stage: 'input', categories: ['violence'] } }],
  ])('%s, and nothing of how severe they are', async (_name, error) => {
    const { called } = await reportOf(errorReply(400, error));
    expect(called.json().error.moderation_details).toMatchObject({ categories: ['violence'] });
    expect(called.text).not.toMatch(/hate|severity|high|safe\b/);
  });

  test('and its cost is not known', async () => {
    mockAzure().post(paidPath, errorReply(400, { code, message: 'No.' }));
    const gateway = await startGateway({
      ...oneTarget({ ...target, price: { images: [{ price: 1 }] } }),
      currency: 'USD',
    });
    await callGateway(gateway.url, { model: 'image', prompt });
    expect(gateway.log.findLast(({ msg }) => msg === 'generation')).toMatchObject({ cost: null, costMayBeMore: true });
  });
});

test('fewer images than requested are reported, logged and counted', async () => {
  mockAzure().post(paidPath, { body: { data: [{ b64_json: tinyPng }] } });
  const gateway = await startGateway(oneTarget(target));
  const called = await callGateway(gateway.url, { model: 'image', prompt, n: 3 });
  expect(called.headers.get('x-gateway-adapted')).toBe('n=fewer');
  expect(gateway.log.findLast(({ msg }) => msg === 'request')).toMatchObject({ count: 3, images: 1 });
  const metrics = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${gatewayKey}` } });
  expect(await metrics.text()).toContain('gateway_upstream_anomalies_total{kind="fewer_images"} 1');
});

describe('a parameter that Azure names', () => {
  const error = { code: 'invalid_value', message: 'No.', param: 'quality' };

  test('is named to the caller that has sent it', async () => {
    const { called } = await reportOf(errorReply(400, error), { quality: 'high' });
    expect(called.json().error).toMatchObject({ param: 'quality', message: expect.stringContaining("'quality'") });
  });

  test('is not named to a caller that has not: it was a default of its operator', async () => {
    const models = oneTarget({ ...target, defaults: { quality: 'high' } });
    const { called } = await reportOf(errorReply(400, error), {}, models);
    expect(called.json().error).toMatchObject({ param: null, message: expect.not.stringContaining('quality') });
  });
});

describe('an error is judged by what it says, wherever it stands:', () => {
  const errors: [string, object, number, string][] = [
    ['a user type', { type: 'image_generation_user_error', code: null, message: 'No.' }, 400, 'invalid_request'],
    [
      'a user type with a parameter',
      { type: 'invalid_request_error', param: 'prompt', message: 'No.' },
      400,
      'invalid_value',
    ],
    ['a status of its own', { status: 400, message: 'No.' }, 400, 'invalid_request'],
    ['a status as its code', { code: '429', message: 'Try again in 70 seconds.' }, 429, 'rate_limit_exceeded'],
    ['a limit', { type: 'requests', code: 'rate_limit_exceeded', message: 'Too many.' }, 429, 'rate_limit_exceeded'],
    ['a filter', { code: 'content_filter', message: 'Filtered.' }, 400, 'content_policy_violation'],
    ['a failure of the server', { type: 'server_error', message: 'Sorry.' }, 502, 'upstream_generation_failed'],
    ['a time-out', { code: 'Timeout', message: 'Late.' }, 504, 'upstream_outcome_unknown'],
    ['a code about a parameter', { code: 'string_above_max_length', message: 'No.' }, 400, 'invalid_request'],
    [
      'a user type beside the code of a server',
      { type: 'image_generation_user_error', code: 'server_error' },
      400,
      'invalid_request',
    ],
    ['an error in an error', { error: { type: 'invalid_request_error', message: 'No.' } }, 400, 'invalid_request'],
    [
      'a refusal two errors deep',
      { message: 'No.', innererror: { innererror: { code: 'content_filter' } } },
      400,
      'content_policy_violation',
    ],
  ];
  const stream = (event: object): Reply => ({
    headers: { 'content-type': 'text/event-stream' },
    body: `event: error\ndata: ${JSON.stringify(event)}\n\n`,
  });

  test.each(errors)('%s in a response of success', async (_name, error, status, code) => {
    const { called } = await reportOf({ body: { error } });
    expect([called.status, called.json().error.code]).toEqual([status, code]);
  });

  test.each([
    ['its status in another spelling', { type: 'error', statusCode: 400, message: 'No.' }],
    ['its class as its type', { type: 'invalid_request_error', message: 'No.' }],
    ['its status in words', { type: 'error', status: '400 Bad Request', message: 'No.' }],
  ])('a flat event with %s', async (_name, event) => {
    const { called } = await reportOf(stream(event), { stream: true });
    expect([called.status, called.json().error.code]).toEqual([400, 'invalid_request']);
  });

  test('an event of no known kind leaves open what was made, and buys nothing again', async () => {
    const azure = mockAzure();
    azure.post(paidPath, stream({ type: 'error', code: 'somehow', message: 'No.' }));
    const { maxRetries: _, ...once } = target;
    const gateway = await startGateway(oneTarget(once));
    const called = await callGateway(gateway.url, { model: 'image', prompt, stream: true });
    expect([called.status, called.json().error.code]).toEqual([502, 'upstream_invalid_response']);
    expect(azure.requests).toHaveLength(1);
  });

  test.each(errors)('%s in an event', async (_name, error, status, code) => {
    const { called } = await reportOf(stream({ type: 'error', error }), { stream: true });
    expect([called.status, called.json().error.code]).toEqual([status, code]);
  });

  test.each(errors.slice(0, 4))('%s under a status of 500', async (_name, error, status, code) => {
    const { called } = await reportOf(errorReply(500, error));
    expect([called.status, called.json().error.code]).toEqual([status, code]);
  });

  // What an agent calls a parameter is not what its callers call it.
  test.each(errors.filter(([name]) => !name.includes('parameter')))(
    '%s in a response of an agent that has failed',
    async (_name, error, status, code) => {
      mockAzure().post(foundryTool.paidPath, { body: { id: 'resp_1', status: 'failed', error, output: [] } });
      const gateway = await startGateway(oneTarget(foundryTool.target));
      const called = await callGateway(gateway.url, { model: 'image', prompt });
      expect([called.status, called.json().error.code]).toEqual([status, code]);
    },
  );

  test.each([
    [421, 'Misdirected'],
    [423, 'Locked'],
    [428, 'PreconditionRequired'],
    [451, 'Unavailable'],
  ])('a complete %d that nobody has described has made nothing, and another target is called', async (status, code) => {
    const azure = mockAzure();
    azure.post(paidPath, errorReply(status, { code, message: 'No.' }), { body: { data: [{ b64_json: tinyPng }] } });
    const { maxRetries: _, ...once } = target;
    const gateway = await startGateway({ models: { image: { targets: [once, { ...once, priority: 1 }] } } });
    const called = await callGateway(gateway.url, { model: 'image', prompt });
    expect([called.status, called.headers.get('x-gateway-target')]).toEqual([200, '2']);
  });

  test('a 409 leaves open what was made', async () => {
    const { called } = await reportOf(errorReply(409, { code: 'Conflict', message: 'No.' }));
    expect([called.status, called.json().error.code]).toEqual([502, 'upstream_outcome_unknown']);
  });
});

describe('an error beside an image', () => {
  const image = { b64_json: tinyPng };
  const error = { code: 'server_error', message: 'Azure words.' };
  test.each<[string, object]>([
    ['before it', { error, data: [image] }],
    ['behind a link', { data: [{ url: 'https://a.blob.core.windows.net/a.png' }], error }],
    ['that is a limit', { error: { code: '429', message: 'Too many.' }, data: [image] }],
    ['in another item', { data: [{ error }, image] }],
  ])('%s leaves open what is billed, and buys nothing again', async (_name, body) => {
    const azure = mockAzure();
    azure.post(paidPath, { body });
    const { maxRetries: _, ...once } = target;
    const gateway = await startGateway(oneTarget(once));
    const called = await callGateway(gateway.url, { model: 'image', prompt });
    expect([called.status, called.json().error.code]).toEqual([502, 'upstream_invalid_response']);
    expect(azure.requests).toHaveLength(1);
    expect(loggedError(gateway)?.upstream?.message).toMatch(/Azure words|Too many/);
  });

  test('behind it tears the response, and buys nothing again', async () => {
    const azure = mockAzure();
    azure.post(paidPath, { body: { data: [image], error } });
    const gateway = await startGateway(oneTarget(target));
    await expect(callGateway(gateway.url, { model: 'image', prompt })).rejects.toThrow();
    expect(azure.requests).toHaveLength(1);
  });

  test('in one event leaves open what is billed', async () => {
    const event = { type: 'image_generation.completed', b64_json: tinyPng, error };
    const { called } = await reportOf({ body: `data: ${JSON.stringify(event)}\n\n` }, { stream: true });
    expect([called.status, called.json().error.code]).toEqual([502, 'upstream_invalid_response']);
  });
});

describe('a text that quotes the caller', () => {
  const quoted = "Failed for prompt 'a fashion model who is retired, api version 3 is not supported'.";
  test.each<[string, Reply, number]>([
    ['in a refusal of a parameter', errorReply(400, { code: 'invalid_value', param: 'prompt', message: quoted }), 400],
    ['in a failure', errorReply(500, { code: 'server_error', message: quoted }), 502],
  ])('%s does not make it a mistake of the operator', async (_name, reply, status) => {
    const { called } = await reportOf(reply);
    expect(called.status).toBe(status);
    expect(called.json().error.code).not.toBe('upstream_misconfigured');
  });

  test('a safety system that is out of order refuses nothing', async () => {
    const { called } = await reportOf(errorReply(500, { code: 'server_error', message: 'The safety system is down.' }));
    expect(called.json().error.code).toBe('upstream_generation_failed');
  });
});

describe('the requests of one caller', () => {
  test.each<[string, Reply]>([
    [
      'a user error in a stream',
      {
        body: `data: ${JSON.stringify({ type: 'error', error: { type: 'image_generation_user_error', message: 'No.' } })}\n\n`,
      },
    ],
    ['a wrong model, as a 400 says', errorReply(400, { code: 'invalid_value', param: 'model', message: 'No.' })],
    ['a chat model, as a 400 says', errorReply(400, { code: 'OperationNotSupported', message: 'No.' })],
    ['a path that only edits have', errorReply(404, { code: '404', message: 'Resource not found' })],
    ['a quota, as a 400 says', errorReply(400, { code: 'billing_hard_limit_reached', message: 'No.' })],
  ])('never open a breaker by %s', async (_name, reply) => {
    mockAzure().post(paidPath, ...Array.from({ length: 6 }, () => reply));
    const gateway = await startGateway(oneTarget(target));
    for (let n = 0; n < 6; n += 1) await callGateway(gateway.url, { model: 'image', prompt, stream: true });
    expect(gateway.app.gateway.catalog.models[0]?.targets[0]?.health.breakerState).toBe('closed');
  });
});
