import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { refusedPort, serveHttp, serveRaw } from '../../helpers/loopback-server.ts';
import { gatewayKey } from '../../helpers/start-gateway.ts';
import { azureKey, type ForwardRig, serveAzure, startForwardRig } from './forward-rig.ts';

const lineOf = ({ log }: ForwardRig) => log.filter(({ msg }) => msg === 'request');

async function countOf({ app }: ForwardRig, status: string): Promise<number> {
  const [, count] =
    new RegExp(`^gateway_forwarded_requests_total\\{status="${status}"\\} (\\d+)$`, 'm').exec(await app.metrics()) ??
    [];
  return Number(count);
}

describe('a forwarded request', () => {
  test('leaves the gateway with its credential and the deployment of the image tool, and is one line of the log', async () => {
    const seen: { path: string | undefined; headers: IncomingHttpHeaders }[] = [];
    const port = await serveAzure(({ url: path, headers }, response) => {
      seen.push({ path, headers });
      response
        .setHeader('apim-request-id', 'azure-id')
        .setHeader('content-type', 'application/json')
        .end('{"id":"resp_1"}');
    });
    const rig = await startForwardRig(port);
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    const headers = {
      'content-type': 'application/json',
      traceparent,
      'x-stainless-lang': 'js',
      'api-key': gatewayKey,
    };
    const response = await rig.call('', { method: 'POST', body: '{"model":"chat"}', headers });
    expect([response.status, await response.json()]).toEqual([200, { id: 'resp_1' }]);
    expect(Object.fromEntries(response.headers)).not.toHaveProperty('apim-request-id');
    expect(response.headers.get('x-request-id')).toMatch(/^[\w-]+$/);
    const [sent] = seen;
    expect(sent?.path).toBe('/openai/v1/responses');
    expect(sent?.headers).toMatchObject({
      'api-key': azureKey,
      'content-type': 'application/json',
      'x-ms-oai-image-generation-deployment': 'img-east',
    });
    expect(sent?.headers.traceparent).toMatch(new RegExp(`^00-${'1'.repeat(32)}-(?!2{16})[0-9a-f]{16}-01$`));
    expect(Object.keys(sent?.headers ?? {})).not.toContain('x-stainless-lang');
    expect(sent?.headers.authorization).toBeUndefined();
    await expect.poll(() => lineOf(rig)).toHaveLength(1);
    expect(lineOf(rig)[0]).toMatchObject({
      route: '/test/v1/responses',
      status: 200,
      end: 'completed',
      forwarded: { sent: true, status: 200, upstreamRequestId: 'azure-id' },
      bytesOut: 15,
    });
    expect(await countOf(rig, '2xx')).toBe(1);
  });

  test.each([
    ['GET', '/resp_1?stream=true&starting_after=3', '/openai/v1/responses/resp_1?stream=true&starting_after=3'],
    ['GET', '/resp_1/input_items?limit=2&api-version=preview', '/openai/v1/responses/resp_1/input_items?limit=2'],
    ['DELETE', '/resp_1', '/openai/v1/responses/resp_1'],
    ['POST', '/resp_1/cancel', '/openai/v1/responses/resp_1/cancel'],
  ])('%s %s goes to %s', async (method, path, expected) => {
    const seen: unknown[] = [];
    const port = await serveAzure((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.end('{}');
    });
    const rig = await startForwardRig(port);
    expect((await rig.call(path, { method })).status).toBe(200);
    expect(seen).toEqual([`${method} ${expected}`]);
  });

  test('whose path leads elsewhere is refused, and Azure sees nothing of it', async () => {
    let connections = 0;
    const port = await serveRaw(() => {
      connections += 1;
    });
    const rig = await startForwardRig(port);
    const { hostname, port: own } = new URL(rig.url);
    const statusOf = (path: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(Number(own), hostname);
        onTestFinished(() => void socket.destroy());
        socket.once('data', (head) => resolve(String(head).slice(9, 12)));
        socket.write(
          `GET /test/v1/responses/${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${gatewayKey}\r\n\r\n`,
        );
      });
    const tricks = [
      '%2e%2e',
      '%2e%2e/models',
      '..%2fmodels',
      'a%2f..%2f..',
      'a/../../models',
      'a%5c..',
      'a/b/c',
      'a?api-key=b',
    ];
    const statuses = await Promise.all(tricks.map(statusOf));
    expect(statuses).toEqual(['400', '400', '400', '400', '404', '400', '404', '400']);
    expect(connections).toBe(0);
  });

  test('of a key that may use only some models is refused: the body decides which deployments it uses', async () => {
    let connections = 0;
    const port = await serveRaw(() => {
      connections += 1;
    });
    const callers = { shop: { keys: [{ key: gatewayKey }], models: ['poster'] } };
    const rig = await startForwardRig(port, { callers });
    const response = await rig.call('', { method: 'POST', body: '{}' });
    expect([response.status, await response.json()]).toMatchObject([403, { error: { code: 'unsupported_operation' } }]);
    expect(connections).toBe(0);
  });

  test('of 64 MB arrives whole, and so does a response of 64 MB', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const port = await serveHttp(async (request, response) => {
      let length = 0;
      for await (const bytes of request) length += bytes.length;
      response.writeHead(200, { 'openai-processing-ms': String(length) });
      for (let at = 0; at < 64; at += 1)
        if (!response.write(chunk)) await new Promise((done) => response.once('drain', done));
      response.end();
    });
    const rig = await startForwardRig(port);
    async function* upload() {
      for (let at = 0; at < 64; at += 1) yield chunk;
    }
    const response = await rig.call('', { method: 'POST', body: ReadableStream.from(upload()), duplex: 'half' });
    let received = 0;
    for await (const bytes of response.body ?? []) received += bytes.length;
    expect([response.headers.get('openai-processing-ms'), received]).toEqual([
      String(64 * chunk.length),
      64 * chunk.length,
    ]);
  });
});

describe('a stream', () => {
  test('reaches its client event by event, and nothing in between is asked to buffer or to change it', async () => {
    const turns = [1, 2, 3].map(() => Promise.withResolvers<void>());
    const port = await serveAzure(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      for (const [at, { promise }] of turns.entries()) {
        response.write(`event: e\ndata: ${at}\n\n`);
        await promise;
      }
      response.end();
    });
    const rig = await startForwardRig(port);
    const response = await rig.call('', { method: 'POST', body: '{"stream":true}' });
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    const events: string[] = [];
    for await (const bytes of response.body ?? []) {
      events.push(Buffer.from(bytes).toString());
      // The next event is sent only when this one is here.
      turns[events.length - 1]?.resolve();
    }
    expect(events).toEqual([0, 1, 2].map((at) => `event: e\ndata: ${at}\n\n`));
  });

  test('that breaks off at Azure breaks off for the client, and its line says so', async () => {
    const port = await serveAzure((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      setImmediate(() => response.destroy());
    });
    const rig = await startForwardRig(port);
    const response = await rig.call('', { method: 'POST', body: '{}' });
    await expect(response.text()).rejects.toThrow();
    await expect.poll(() => lineOf(rig)).toHaveLength(1);
    expect(lineOf(rig)[0]).toMatchObject({
      end: 'truncated',
      error: { kind: 'upstream_outcome_unknown', outcome: 'unknown' },
      forwarded: { sent: true, status: 200 },
    });
  });

  test('whose client disconnects is ended at Azure', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await serveAzure((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      response.once('close', () => closed.resolve());
    });
    const rig = await startForwardRig(port);
    const abort = new AbortController();
    const response = await rig.call('', { method: 'POST', body: '{}', signal: abort.signal });
    await response.body?.getReader().read();
    abort.abort();
    await closed.promise;
    await expect.poll(() => lineOf(rig)).toHaveLength(1);
    expect(lineOf(rig)[0]).toMatchObject({ end: 'disconnected', status: 499 });
    expect(lineOf(rig)[0]).not.toHaveProperty('error');
  });
});

describe('a client that disconnects', () => {
  test('before there is a response ends its request at Azure', async () => {
    const [arrived, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const port = await serveHttp((request) => {
      arrived.resolve();
      request.socket.once('close', () => closed.resolve());
    });
    const rig = await startForwardRig(port);
    const abort = new AbortController();
    const called = rig.call('', { method: 'POST', body: '{}', signal: abort.signal }).catch(() => 'gone');
    await arrived.promise;
    abort.abort();
    expect(await called).toBe('gone');
    await closed.promise;
    await expect.poll(() => lineOf(rig)).toHaveLength(1);
    expect(lineOf(rig)[0]).toMatchObject({ end: 'disconnected', status: 499, forwarded: { sent: true } });
    expect(await countOf(rig, 'none')).toBe(1);
  });

  test('in the middle of its body is not reported as a failure of Azure', async () => {
    const [arrived, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const port = await serveHttp((request) => {
      request.once('data', () => arrived.resolve()).once('error', () => closed.resolve());
    });
    const rig = await startForwardRig(port);
    const { hostname, port: own } = new URL(rig.url);
    const socket = connect(Number(own), hostname);
    const head = `POST /test/v1/responses HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${gatewayKey}\r\n`;
    socket.write(`${head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"half`);
    await arrived.promise;
    socket.destroy();
    await closed.promise;
    await expect.poll(() => lineOf(rig)).toHaveLength(1);
    expect(lineOf(rig)[0]).toMatchObject({ end: 'disconnected', status: 499 });
    expect(lineOf(rig)[0]).not.toHaveProperty('error');
  });
});

const sdkError = { error: { message: 'text of Azure', type: 'invalid_request_error', code: 'some_code', param: null } };

describe('an error of Azure', () => {
  test.each<[number, string | null]>([
    [400, null],
    [404, null],
    [408, 'false'],
    [409, 'false'],
    [429, null],
    [500, 'false'],
    [503, 'false'],
  ])(
    '%i passes as it is, with x-should-retry %s for a POST, and its text stays out of the log',
    async (status, shouldRetry) => {
      const port = await serveAzure((_request, response) => {
        const headers = { 'content-type': 'application/json', 'retry-after': '7', 'x-should-retry': 'true' };
        response.writeHead(status, headers).end(JSON.stringify(sdkError));
      });
      const rig = await startForwardRig(port);
      const post = await rig.call('', { method: 'POST', body: '{}' });
      expect([post.status, await post.json()]).toEqual([status, sdkError]);
      expect([post.headers.get('x-should-retry'), post.headers.get('retry-after')]).toEqual([shouldRetry, '7']);
      const get = await rig.call('/resp_1');
      expect([get.status, await get.json(), get.headers.get('x-should-retry')]).toEqual([status, sdkError, null]);
      await expect.poll(() => lineOf(rig)).toHaveLength(2);
      expect(lineOf(rig)[0]).toMatchObject({ status, end: 'completed', forwarded: { errorCode: 'some_code' } });
      expect(rig.logText()).not.toContain('text of Azure');
      expect(await countOf(rig, `${Math.floor(status / 100)}xx`)).toBe(2);
    },
  );

  test.each<[number, string, number, string, string | null]>([
    [401, 'invalid_api_key', 502, 'upstream_auth_failed', 'false'],
    [403, 'AccessDenied', 502, 'upstream_auth_failed', 'false'],
    [404, 'DeploymentNotFound', 502, 'upstream_misconfigured', 'false'],
  ])('%i %s, which is the operator’s, is a %i %s', async (status, code, expected, gatewayCode, shouldRetry) => {
    const port = await serveAzure((_request, response) => {
      const error = { code, message: 'what Azure says' };
      response.writeHead(status, { 'www-authenticate': 'Bearer', 'content-type': 'application/json' });
      response.end(JSON.stringify({ error }));
    });
    const rig = await startForwardRig(port);
    const response = await rig.call('', { method: 'POST', body: '{}' });
    const text = await response.text();
    expect([response.status, JSON.parse(text).error.code]).toEqual([expected, gatewayCode]);
    expect([response.headers.get('x-should-retry'), response.headers.get('www-authenticate')]).toEqual([
      shouldRetry,
      null,
    ]);
    expect(text).not.toContain('what Azure says');
    await expect.poll(() => lineOf(rig)).toHaveLength(1);
    expect(lineOf(rig)[0]).toMatchObject({
      status: expected,
      error: { upstream: { status, code, message: 'what Azure says' }, hint: expect.any(String) },
      forwarded: { sent: true, status },
    });
    expect(await countOf(rig, '4xx')).toBe(1);
  });

  test('that comes before the body has ended still reaches a client that goes on sending', async () => {
    const port = await serveHttp((request, response) => {
      request.once('data', () =>
        response.writeHead(413, { 'content-type': 'application/json' }).end(JSON.stringify(sdkError)),
      );
    });
    const rig = await startForwardRig(port);
    const held = Promise.withResolvers<void>();
    async function* upload() {
      yield Buffer.from('{"a":"');
      await held.promise;
      yield Buffer.alloc(1024 * 1024, 'x');
    }
    const response = await rig.call('', { method: 'POST', body: ReadableStream.from(upload()), duplex: 'half' });
    held.resolve();
    expect([response.status, await response.json()]).toEqual([413, sdkError]);
  });
});

describe('without a response of Azure', () => {
  test('a request that was not sent may be retried', async () => {
    const rig = await startForwardRig(await refusedPort());
    const response = await rig.call('', { method: 'POST', body: '{}' });
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([503, null]);
    expect(await response.json()).toMatchObject({
      error: { code: 'upstream_unavailable', message: expect.stringContaining('Nothing was sent') },
    });
    expect(await countOf(rig, 'none')).toBe(1);
  });

  test.each<[string, string, number, string, string | null]>([
    ['POST', '', 502, 'upstream_outcome_unknown', 'false'],
    ['GET', '/resp_1', 503, 'upstream_unavailable', null],
    ['DELETE', '/resp_1', 503, 'upstream_unavailable', null],
  ])('a %s that was sent%s is a %i %s', async (method, path, status, code, shouldRetry) => {
    const port = await serveRaw((socket) => socket.once('data', () => socket.destroy()));
    const rig = await startForwardRig(port);
    const response = await rig.call(path, { method, ...(method === 'POST' && { body: '{}' }) });
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([status, shouldRetry]);
    expect(await response.json()).toMatchObject({ error: { code } });
  });
});

test('the limits of a client’s own key are shown, and not those of the resource for the same', async () => {
  const port = await serveAzure((_request, response) => {
    response
      .setHeader('x-ratelimit-remaining-requests', '999')
      .setHeader('x-ratelimit-remaining-tokens', '5')
      .end('{}');
  });
  const rig = await startForwardRig(port, { limitHeaders: { 'x-ratelimit-remaining-requests': '3' } });
  const response = await rig.call('', { method: 'POST', body: '{}' });
  expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('3');
  expect(response.headers.get('x-ratelimit-remaining-tokens')).toBe('5');
});
