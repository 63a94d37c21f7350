import { describe, expect, test } from 'vitest';
import { operations, resultLink } from '../fixtures/azure-responses.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { azureOrigin, type MockedAzure, mockAzure, type Reply } from './mock-azure.ts';
import {
  accepted,
  acceptOperation,
  azureAsyncFlow,
  azureAsyncWith,
  collect,
  operationPath,
  type ProviderUnderTest,
  rejection,
  soon,
  startCall,
} from './providers.ts';

const { paidPath } = azureAsyncFlow;
const succeeded: Reply = { body: operations.succeeded };
const link = { type: 'url', index: 0, url: resultLink };
const events = [link, { type: 'done', created: 1685064331 }];
const html = '<html>proxy-canary</html>';

/** Runs the flow with these responses to its polls. */
function run(azure: MockedAzure, ...polls: readonly Reply[]) {
  acceptOperation(azure, ...polls);
  return startCall(azureAsyncFlow);
}

/** Runs the flow with this `operation-location`, and nothing else that names the operation, which leads to these polls. */
function runAt(azure: MockedAzure, location: string | undefined, path?: string, provider = azureAsyncFlow) {
  const headers = { ...soon, ...(location !== undefined && { 'operation-location': location }) };
  azure.post(provider.paidPath, { ...accepted, headers, body: { status: 'notRunning' } });
  if (path !== undefined) azure.get(path, succeeded);
  return startCall(provider);
}

const paidCalls = ({ requests }: MockedAzure) => requests.filter(({ method }) => method === 'POST').length;

describe('an operation', () => {
  test('that is queued, runs and succeeds: is polled where the submit said, and gives its links', async () => {
    const azure = mockAzure();
    const call = run(azure, { body: operations.notRunning }, { body: operations.running }, succeeded);
    expect(await collect(await call.events)).toEqual(events);
    expect(azure.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `POST ${paidPath}`,
      ...Array(3).fill(`GET ${operationPath}`),
    ]);
    expect(call.anomalies).toEqual([]);
  });

  test.each([
    ['as documented', accepted],
    ['with created 0', { ...accepted, body: operations.notRunningWithCreated }],
    ['without a body', { ...accepted, body: '' }],
    ['with status 200', { ...accepted, status: 200 }],
    ['with status 201', { ...accepted, status: 201 }],
  ])('whose submit gets %s is polled', async (_name, reply) => {
    const azure = mockAzure();
    azure.post(paidPath, reply);
    azure.get(operationPath, succeeded);
    expect(await collect(await startCall(azureAsyncFlow).events)).toEqual(events);
  });

  test.each([
    ['result.data', { status: 'succeeded', created: 7, result: { data: [{ url: resultLink }] } }, 7],
    ['data at the top', { status: 'succeeded', created: 7, data: [{ url: resultLink }] }, 7],
    ['both times', { status: 'succeeded', created: 7, result: { created: 9, data: [{ url: resultLink }] } }, 9],
    ['created 0', { status: 'succeeded', created: 0, result: { data: [{ url: resultLink }] } }, undefined],
    ['no created', { status: 'succeeded', result: { data: [{ url: resultLink }] } }, undefined],
    ['a result that is null', { status: 'succeeded', result: null, data: [{ url: resultLink }] }, undefined],
    [
      'an empty result beside it',
      { status: 'succeeded', result: { data: [{ url: '' }] }, data: [{ url: resultLink }] },
      undefined,
    ],
    ['empty items beside it', { status: 'succeeded', data: [null, {}, { url: resultLink, error: {} }] }, undefined],
    ['items with a null error', { status: 'succeeded', data: [{ url: resultLink, error: null }] }, undefined],
  ])('that succeeds with %s gives its links and the time', async (_name, body, created) => {
    const done = { type: 'done', ...(created !== undefined && { created }) };
    expect(await collect(await run(mockAzure(), { body }).events)).toEqual([link, done]);
  });

  test('whose state comes as text/plain is read all the same', async () => {
    const call = run(mockAzure(), { body: JSON.stringify(operations.succeeded).replaceAll('/', '\\/') });
    expect(await collect(await call.events)).toEqual(events);
  });

  test('whose submit notes an id: it is that of the paid call, not of the polls', async () => {
    const azure = mockAzure();
    azure.post(paidPath, { ...accepted, headers: { ...accepted.headers, 'x-ms-request-id': 'id-of-submit' } });
    azure.get(operationPath, { ...succeeded, headers: { 'x-ms-request-id': 'id-of-poll' } });
    const call = startCall(azureAsyncFlow);
    await call.events;
    expect(call.attempt).toMatchObject({ sent: true, status: 202, upstreamRequestId: 'id-of-submit' });
  });
});

const filtered = { kind: 'content_policy_violation', outcome: 'refused' };
const failed = { kind: 'upstream_generation_failed', outcome: 'failed' };
const invalid = { kind: 'upstream_invalid_response', outcome: 'unknown' };
const lost = { kind: 'upstream_outcome_unknown', outcome: 'unknown' };

describe('an operation that ends without images', () => {
  test.each<[string, Reply['body'], object]>([
    ['failed, filtered as a whole', operations.failedByFilter, filtered],
    ['succeeded, with one filtered item', operations.partlyFiltered, filtered],
    [
      'succeeded, with one filtered item in its result',
      { status: 'succeeded', result: { data: operations.partlyFiltered.data } },
      filtered,
    ],
    ['failed, for another reason', { status: 'failed', error: { code: 'InternalError', message: 'no' } }, failed],
    ['failed, without a reason', { status: 'failed' }, failed],
    ['canceled', { status: 'canceled' }, lost],
    ['deleted', { status: 'deleted' }, invalid],
    ['a status that nobody knows', { status: 'paused' }, invalid],
    ['succeeded, without a result', { status: 'succeeded' }, invalid],
    ['succeeded, with an empty result', { status: 'succeeded', result: { data: [] } }, invalid],
    ['succeeded, with an item that is empty', { status: 'succeeded', result: { data: [{}] } }, invalid],
    ['succeeded, with an item that is null', { status: 'succeeded', result: { data: [null] } }, invalid],
    ['succeeded, with a link that is none', { status: 'succeeded', data: [{ url: 'no link' }] }, invalid],
    ['succeeded, with a script for a link', { status: 'succeeded', data: [{ url: 'javascript:alert(1)' }] }, invalid],
    [
      'succeeded, with an error without a bottom',
      `{"status":"succeeded","data":[{"error":${'['.repeat(9e4)}${']'.repeat(9e4)}}]}`,
      invalid,
    ],
    ['succeeded, with empty links', { status: 'succeeded', data: [{ url: '' }, null, { url: null }] }, invalid],
  ])('%s: rejects, and nothing is submitted again', async (_name, body, expected) => {
    const azure = mockAzure();
    const call = run(azure, { body: operations.running }, { body });
    expect(await rejection(call.events)).toMatchObject({ name: 'GatewayError', ...expected });
    expect(call.attempt.sent).toBe(true);
    expect(paidCalls(azure)).toBe(1);
  });
});

describe('a poll that fails', () => {
  test.each<[string, Reply]>([
    ['429 with a pause', { status: 429, headers: { 'retry-after-ms': '2' }, body: { error: { code: '429' } } }],
    ['408', { status: 408, body: html }],
    ['500 with an error object', { status: 500, body: { error: { code: 'contentFilter', message: 'no' } } }],
    ['502 with the page of a proxy', { status: 502, body: html }],
    ['503', { status: 503 }],
    ['504', { status: 504, body: html }],
    ['404, because the operation is not known everywhere yet', { status: 404, body: { error: { code: '404' } } }],
  ])('with %s, twice: says nothing of the operation, which is polled on', async (_name, reply) => {
    const azure = mockAzure();
    expect(await collect(await run(azure, reply, reply, succeeded).events)).toEqual(events);
    expect(paidCalls(azure)).toBe(1);
  });

  const location = { location: 'https://elsewhere.example.com/openai/operations/images/1' };
  const unusable: [string, Reply][] = [
    ...[401, 403, 404, 400, 410, 307, 204].map((status): [string, Reply] => [
      String(status),
      { status, headers: location, body: '' },
    ]),
    ['a page of a proxy', { body: html }],
    ['nothing', { body: '' }],
    ['no status', { body: { id: '4b755937' } }],
    ['a status that is no text', { body: { status: 7 } }],
    ['more than 1 MiB', { body: JSON.stringify({ status: 'running', padding: 'a'.repeat(1_100_000) }) }],
  ];

  test.each(unusable)('with %s, twice: is paid for, and polled on', async (_name, reply) => {
    const azure = mockAzure();
    expect(await collect(await run(azure, reply, reply, succeeded).events)).toEqual(events);
    expect(paidCalls(azure)).toBe(1);
  });

  test.each(unusable)(
    'with %s, and no time is left: the operation is lost, and may have been paid',
    async (_, reply) => {
      const azure = mockAzure();
      acceptOperation(azure, reply);
      expect(await rejection(startCall(azureAsyncFlow, { retryUntil: 0 }).events)).toMatchObject(lost);
      expect(azure.requests).toHaveLength(2);
    },
  );
});

describe('the pause before a poll', () => {
  const between = async (submitHeaders: Record<string, string>, pollHeaders: Record<string, string>) => {
    const azure = mockAzure();
    const headers = { 'operation-location': `${azureOrigin}${operationPath}`, ...submitHeaders };
    azure.post(paidPath, { ...accepted, headers });
    azure.get(operationPath, { body: operations.running, headers: pollHeaders }, succeeded);
    const begin = performance.now();
    await startCall(azureAsyncFlow).events;
    return performance.now() - begin;
  };

  test('is what the submit’s retry-after says', async () => {
    expect(await between({ 'retry-after': '1' }, soon)).toBeGreaterThan(950);
  });

  test('is what the last poll’s retry-after-ms says', async () => {
    const took = await between(soon, { 'retry-after-ms': '700', 'retry-after': '5' });
    expect(took).toBeGreaterThan(650);
    expect(took).toBeLessThan(3000);
  });

  test('is a quarter of a second when nobody says anything', async () => {
    const took = await between({}, {});
    expect(took).toBeGreaterThan(440);
    expect(took).toBeLessThan(1500);
  });
});

describe('operation-location', () => {
  const id = 'f508bcf2-e651-4b4b-85a7-58ad77981ffa';

  test.each([
    ['another path and version', `${azureOrigin}/openai/dalle/operations/images/${id}?api-version=2023-08-01-preview`],
    ['no query', `${azureOrigin}/openai/operations/images/${id}`],
    ['no host', `/openai/operations/images/${id}?api-version=2023-06-01-preview`],
    ['a fragment', `${azureOrigin}/openai/operations/images/${id}#part`],
  ])('with %s is followed on the configured origin', async (_name, location) => {
    const azure = mockAzure();
    const { pathname, search } = new URL(location, azureOrigin);
    const call = runAt(azure, location, `${pathname}${search}`);
    expect(await collect(await call.events)).toEqual(events);
    expect(call.anomalies).toEqual([]);
  });

  test.each([
    ['another host', `https://elsewhere.example.com/openai/operations/images/${id}?api-version=1`],
    ['another host and no scheme', `//elsewhere.example.com/openai/operations/images/${id}?api-version=1`],
    ['http', `${azureOrigin.replace('https', 'http')}/openai/operations/images/${id}?api-version=1`],
    ['another port', `${azureOrigin}:8443/openai/operations/images/${id}?api-version=1`],
    ['another host and a password', `https://u:p@elsewhere.example.com/openai/operations/images/${id}?api-version=1`],
  ])('with %s is followed on the configured origin all the same, and counted', async (_name, location) => {
    const azure = mockAzure();
    const path = `/openai/operations/images/${id}?api-version=1`;
    const call = runAt(azure, location, path);
    expect(await collect(await call.events)).toEqual(events);
    expect(call.anomalies).toEqual(['foreign_operation_host']);
    expect(azure.requests[1]?.headers).not.toHaveProperty('authorization');
  });

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['no URL', 'https://'],
    ['another scheme', 'javascript:alert(1)'],
    ['outside /openai/', `${azureOrigin}/admin/operations/images/${id}`],
    ['outside /openai/ by dots', `${azureOrigin}/openai/operations/../../admin/${id}`],
    ['outside /openai/ by escaped dots', `${azureOrigin}/openai/%2e%2e/admin/${id}`],
    ['outside /openai/ by backslashes', `${azureOrigin}/openai\\..\\admin\\${id}`],
    ['a name that begins alike', `${azureOrigin}/openai-other/operations/images/${id}`],
    ['an escaped path', `${azureOrigin}/openai/operations/images%2F${id}`],
    ['a double slash', `${azureOrigin}/openai//operations/images/${id}`],
    ['without an id', `${azureOrigin}/openai/operations/images/?api-version=1`],
    ['an id that begins with a dot', `${azureOrigin}/openai/operations/images/.hidden`],
    ['an id that is too long', `${azureOrigin}/openai/operations/images/${'a'.repeat(129)}`],
  ])('that is %s: the job may run, so its outcome is unknown, and nothing is polled', async (_name, location) => {
    const azure = mockAzure();
    const call = runAt(azure, location);
    expect(await rejection(call.events)).toMatchObject(invalid);
    expect(azure.requests).toHaveLength(1);
  });

  describe('that leads nowhere, while the body has an id', () => {
    const submit = (azure: MockedAzure, body: Reply['body'], location?: string) => {
      const headers = { ...soon, ...(location !== undefined && { 'operation-location': location }) };
      azure.post(paidPath, { ...accepted, headers, body });
    };

    test.each([
      ['missing', undefined],
      ['empty', ''],
      ['at another path', `${azureOrigin}/admin/operations/images/${id}`],
    ])('(%s): the operation of that id is polled on the configured origin', async (_name, location) => {
      const azure = mockAzure();
      submit(azure, { id, status: 'notRunning' }, location);
      azure.get(`/openai/operations/images/${id}?api-version=2023-06-01-preview`, succeeded);
      expect(await collect(await startCall(azureAsyncFlow).events)).toEqual(events);
      expect(paidCalls(azure)).toBe(1);
    });

    test.each(['', '../../admin', 'a/b', 'a?b', '.hidden', 'a%2Fb', 'a'.repeat(129), 7, null, { id }])(
      'which is %j: its outcome is unknown, and nothing is polled',
      async (odd) => {
        const azure = mockAzure();
        submit(azure, { id: odd, status: 'notRunning' });
        expect(await rejection(startCall(azureAsyncFlow).events)).toMatchObject(invalid);
        expect(azure.requests).toHaveLength(1);
      },
    );
  });

  describe('of a resource behind a path', () => {
    const behindPath: ProviderUnderTest = {
      ...azureAsyncFlow,
      paidPath: `/team/a${paidPath}`,
      create: azureAsyncWith({ baseURL: `${azureOrigin}/team/a` }),
    };

    test('that lies below the path is followed', async () => {
      const path = `/team/a${operationPath}`;
      const call = runAt(mockAzure(), `${azureOrigin}${path}`, path, behindPath);
      expect(await collect(await call.events)).toEqual(events);
    });

    test('that lies beside the path is not', async () => {
      const call = runAt(mockAzure(), `${azureOrigin}${operationPath}`, undefined, behindPath);
      expect(await rejection(call.events)).toMatchObject(invalid);
    });
  });
});

describe('a caller of azure-async', () => {
  const call = async (target: Record<string, unknown> = {}) => {
    const gateway = await startGateway(oneTarget({ ...azureAsyncFlow.target, ...target }));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a prompt-canary' });
    expect(`${called.text}${JSON.stringify([...called.headers])}`).not.toMatch(/canary/);
    expect(gateway.logText()).not.toMatch(/prompt-canary|upstream-key|gateway-key|proxy-canary/);
    return called;
  };

  test('gets the links of an operation that has succeeded', async () => {
    acceptOperation(mockAzure(), { body: operations.running }, succeeded);
    const called = await call();
    expect([called.status, called.json()]).toEqual([200, { created: 1685064331, data: [{ url: resultLink }] }]);
  });

  test.each<[string, Reply['body'], number, string, string, string | null]>([
    [
      'filtered as a whole',
      operations.failedByFilter,
      400,
      'image_generation_user_error',
      'content_policy_violation',
      null,
    ],
    [
      'filtered in part',
      operations.partlyFiltered,
      400,
      'image_generation_user_error',
      'content_policy_violation',
      null,
    ],
    ['failed', { status: 'failed' }, 502, 'server_error', 'upstream_generation_failed', 'false'],
    ['canceled', { status: 'canceled' }, 502, 'server_error', 'upstream_outcome_unknown', 'false'],
    ['deleted', { status: 'deleted' }, 502, 'server_error', 'upstream_invalid_response', 'false'],
    ['of an unknown status', { status: 'canary' }, 502, 'server_error', 'upstream_invalid_response', 'false'],
    ['without a result', { status: 'succeeded' }, 502, 'server_error', 'upstream_invalid_response', 'false'],
  ])('gets the error of an operation that is %s', async (_name, body, status, type, code, shouldRetry) => {
    acceptOperation(mockAzure(), { body });
    const called = await call();
    expect(called.json().error).toEqual({ message: expect.stringMatching(/\S.{20,}/), type, param: null, code });
    expect([called.status, called.headers.get('x-should-retry')]).toEqual([status, shouldRetry]);
  });

  test('learns of a lost operation that it may have been billed', async () => {
    acceptOperation(mockAzure(), { status: 404, headers: { 'retry-after-ms': '60000' }, body: html });
    const called = await call({ timeoutMs: 5_000 });
    expect([called.status, called.json().error.code, called.headers.get('x-should-retry')]).toEqual([
      502,
      'upstream_outcome_unknown',
      'false',
    ]);
  });

  test('gets the error of an operation that outlasts the deadline', async () => {
    const headers = { 'operation-location': `${azureOrigin}${operationPath}`, 'retry-after': '60' };
    mockAzure().post(paidPath, { ...accepted, headers });
    const called = await call({ timeoutMs: 1000 });
    expect([called.status, called.json().error.code, called.headers.get('x-should-retry')]).toEqual([
      504,
      'upstream_outcome_unknown',
      'false',
    ]);
  });
});
