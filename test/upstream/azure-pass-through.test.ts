import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ForwardedCall, PassThroughRequest } from '../../src/domain/pass-through.ts';
import { Secret } from '../../src/domain/secret.ts';
import { createPassThrough } from '../../src/upstream/azure-pass-through.ts';
import { createUpstreamClient, type UpstreamTimes } from '../../src/upstream/client.ts';
import { keyCredential } from '../../src/upstream/credential.ts';
import { refusedPort, serveHttp, serveRaw } from '../helpers/loopback-server.ts';

type Options = { readonly times?: Partial<UpstreamTimes>; readonly failure?: GatewayError };

/** Sends requests to a port, and keeps what is known of the last one. */
function forwardTo(port: number, { times, failure }: Options = {}) {
  const client = createUpstreamClient(times);
  onTestFinished(() => client.close());
  const passThrough = createPassThrough({
    client,
    credential: keyCredential(new Secret('azure-key')),
    baseURL: `http://127.0.0.1:${port}/openai/v1`,
    imageDeployment: undefined,
    faultOf: ({ text }) => ({ failure, code: text.slice(0, 20) }),
  });
  const call: ForwardedCall = { sent: false };
  const send = (request: Partial<PassThroughRequest> = {}) =>
    passThrough.send({
      ...{ method: 'POST', path: '/responses', search: '', headers: {}, signal: new AbortController().signal, call },
      ...request,
    });
  return { call, send };
}

/** A server that has read the whole request before it responds. */
function azure(respond: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void): Promise<number> {
  return serveHttp((request, response) => {
    const chunks: Buffer[] = [];
    request
      .on('data', (chunk) => chunks.push(chunk))
      .on('end', () => respond(request, response, Buffer.concat(chunks)));
  });
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(body)).toString();
}

/** Kind and outcome of the error that a promise rejects with. */
async function failureOf(promise: Promise<unknown>) {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  return error instanceof GatewayError ? { kind: error.kind, outcome: error.outcome } : error;
}

const mebibyte = Buffer.alloc(1024 * 1024, 'x');

describe('a forwarded body', () => {
  test('is sent while it arrives: no chunk waits for the next one', async () => {
    const arrived: ((text: string) => void)[] = [];
    const pieces = ['a', 'b', 'c'].map((name) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      arrived.push(resolve);
      return { name, promise };
    });
    const port = await serveHttp((request, response) => {
      request.on('data', (chunk) => arrived.shift()?.(String(chunk))).on('end', () => response.end('{}'));
    });
    async function* inTurn() {
      for (const { name, promise } of pieces) {
        yield Buffer.from(name);
        // The next piece exists only when Azure has this one.
        expect(await promise).toBe(name);
      }
    }
    const { status } = await forwardTo(port).send({ body: inTurn() });
    expect(status).toBe(200);
  });

  test('is asked for no faster than Azure reads', async () => {
    const port = await serveRaw((socket) => socket.pause());
    const abort = new AbortController();
    let asked = 0;
    async function* endless() {
      for (;;) {
        asked += 1;
        yield mebibyte;
      }
    }
    const sending = failureOf(forwardTo(port).send({ body: endless(), signal: abort.signal }));
    await expect.poll(() => asked).toBeGreaterThan(1);
    let before = -1;
    await expect
      .poll(
        () => {
          const isStill = asked === before;
          before = asked;
          return isStill;
        },
        { interval: 300 },
      )
      .toBe(true);
    expect(asked).toBeLessThan(50);
    abort.abort(new GatewayError('client_gone', 'gone'));
    expect(await sending).toEqual({ kind: 'client_gone', outcome: undefined });
  });

  test('is not closed when Azure responds before it has ended', async () => {
    let isClosed = false;
    const held = Promise.withResolvers<never>();
    held.promise.catch(() => {});
    async function* body() {
      try {
        yield Buffer.from('a');
        await held.promise;
      } finally {
        isClosed = true;
      }
    }
    const port = await serveHttp((request, response) => {
      request.once('data', () => response.writeHead(413).end('too large'));
    });
    const response = await forwardTo(port).send({ body: body() });
    expect([response.status, await textOf(response.body), isClosed]).toEqual([413, 'too large', false]);
  });

  test('that fails rejects with its own error, and Azure gets no end of it', async () => {
    const aborted = Promise.withResolvers<void>();
    const port = await serveHttp((request) => {
      request.resume().once('error', () => aborted.resolve());
    });
    const reason = new GatewayError('request_timeout', 'too slow');
    async function* broken() {
      yield Buffer.from('a');
      throw reason;
    }
    expect(await failureOf(forwardTo(port).send({ body: broken() }))).toEqual({ kind: 'request_timeout' });
    await aborted.promise;
  });

  test('whose client has disconnected says so', async () => {
    const port = await serveHttp((request) => void request.resume());
    async function* cut() {
      yield Buffer.from('a');
      throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    }
    expect(await failureOf(forwardTo(port).send({ body: cut() }))).toEqual({ kind: 'client_gone' });
  });

  test('is never sent again', async () => {
    let connections = 0;
    const port = await serveRaw((socket) => {
      connections += 1;
      socket.once('data', () => socket.destroy());
    });
    await failureOf(forwardTo(port).send({ body: (async function* () {})() }));
    await failureOf(forwardTo(port).send({ method: 'GET' }));
    expect(connections).toBe(2);
  });
});

describe('a response', () => {
  test('passes while it arrives, with what is known of it', async () => {
    const sent = ['data: 1\n\n', 'data: 2\n\n'];
    const next = Promise.withResolvers<void>();
    const port = await azure(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'apim-request-id': 'azure-id' });
      response.write(sent[0]);
      await next.promise;
      response.end(sent[1]);
    });
    const { call, send } = forwardTo(port);
    const { body, headers } = await send();
    const chunks: string[] = [];
    for await (const chunk of body) {
      chunks.push(String(chunk));
      next.resolve();
    }
    expect(chunks).toEqual(sent);
    expect(headers).toEqual({ 'content-type': 'text/event-stream' });
    expect(call).toEqual({ sent: true, status: 200, upstreamRequestId: 'azure-id' });
  });

  test('is read no faster than its reader takes it', async () => {
    let written = 0;
    const port = await azure((_request, response) => {
      const write = () => {
        while (written < 500 && response.write(mebibyte)) written += 1;
        written += 1;
      };
      response.on('drain', write);
      write();
    });
    const { body } = await forwardTo(port).send();
    const reader = body[Symbol.asyncIterator]();
    await reader.next();
    let before = -1;
    await expect
      .poll(
        () => {
          const isStill = written === before;
          before = written;
          return isStill;
        },
        { interval: 300 },
      )
      .toBe(true);
    expect(written).toBeLessThan(50);
    await reader.return?.();
  });

  test('that is compressed, although nobody has asked for that, is unpacked', async () => {
    const port = await azure((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"a":1}'));
    });
    expect(await textOf((await forwardTo(port).send()).body)).toBe('{"a":1}');
  });

  test('that breaks off may have been billed', async () => {
    const port = await azure((_request, response) => {
      response.writeHead(200);
      response.write('data: 1\n\n');
      setImmediate(() => response.destroy());
    });
    const { body } = await forwardTo(port).send();
    expect(await failureOf(Array.fromAsync(body))).toEqual({ kind: 'upstream_outcome_unknown', outcome: 'unknown' });
  });

  test('that its client leaves is destroyed at Azure', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await azure((_request, response) => {
      response.writeHead(200).write('data: 1\n\n');
      response.once('close', () => closed.resolve());
    });
    const abort = new AbortController();
    const { body } = await forwardTo(port).send({ signal: abort.signal });
    const rest = failureOf(Array.fromAsync(body));
    abort.abort(new GatewayError('client_gone', 'gone'));
    expect(await rest).toEqual({ kind: 'client_gone' });
    await closed.promise;
  });

  test('that is silent is given up', async () => {
    const port = await azure((request, response) => {
      if (request.method === 'POST') response.writeHead(200).write('a');
    });
    const { send } = forwardTo(port, { times: { forwardIdleMs: 300 } });
    const { body } = await send();
    expect(await failureOf(Array.fromAsync(body))).toEqual({ kind: 'upstream_timeout', outcome: 'unknown' });
    expect(await failureOf(send({ method: 'GET' }))).toEqual({ kind: 'upstream_unavailable' });
  });

  test('of no known status is none', async () => {
    const port = await serveRaw((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 700 A\r\ncontent-length: 0\r\n\r\n'));
    });
    expect(await failureOf(forwardTo(port).send())).toEqual({ kind: 'upstream_invalid_response', outcome: 'unknown' });
  });
});

describe('an error of Azure', () => {
  test('passes as it is, however long, and its code is noted', async () => {
    const text = `code_${'x'.repeat(300_000)}`;
    const port = await azure((_request, response) => response.writeHead(500).end(text));
    const { call, send } = forwardTo(port);
    const { status, body } = await send();
    expect([status, (await textOf(body)) === text]).toEqual([500, true]);
    expect(call).toMatchObject({ status: 500, errorCode: text.slice(0, 20) });
  });

  test('whose code is no code leaves none', async () => {
    const port = await azure((_request, response) => response.writeHead(400).end('a "quoted" prompt'));
    const { call, send } = forwardTo(port);
    await textOf((await send()).body);
    expect(call).not.toHaveProperty('errorCode');
  });

  test('that breaks off is handed on as far as it came, and then breaks off', async () => {
    const port = await serveRaw((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 A\r\ncontent-length: 9\r\n\r\nhalf'));
    });
    const { body } = await forwardTo(port).send();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const chunk of body) seen.push(String(chunk));
    })();
    expect(await failureOf(reading)).toEqual({ kind: 'upstream_outcome_unknown', outcome: 'unknown' });
    expect(seen).toEqual(['half']);
  });

  test('that is the operator’s to mend is thrown instead, and its body is given up', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await azure((_request, response) => {
      response.writeHead(401).write(Buffer.alloc(100_000, 'x'));
      response.once('close', () => closed.resolve());
    });
    const failure = new GatewayError('upstream_auth_failed', 'no', { outcome: 'not-processed' });
    expect(await failureOf(forwardTo(port, { failure }).send())).toEqual({
      kind: 'upstream_auth_failed',
      outcome: 'not-processed',
    });
    await closed.promise;
  });

  test('is no redirect: nothing follows one', async () => {
    let requests = 0;
    const port = await azure((_request, response) => {
      requests += 1;
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    const { status, headers } = await forwardTo(port).send({ method: 'GET' });
    expect([status, headers, requests]).toEqual([307, {}, 1]);
  });
});

describe('without a response', () => {
  const unknown = { kind: 'upstream_outcome_unknown', outcome: 'unknown' };

  test('a request that was not sent is not billed', async () => {
    const { call, send } = forwardTo(await refusedPort());
    expect(await failureOf(send())).toEqual({ kind: 'upstream_unavailable', outcome: 'not-processed' });
    expect(call).toEqual({ sent: false });
  });

  test('a POST that was sent may have been billed', async () => {
    const port = await serveRaw((socket) => socket.once('data', () => socket.destroy()));
    expect(await failureOf(forwardTo(port).send())).toEqual(unknown);
    expect(await failureOf(forwardTo(port).send({ path: '/responses/resp_1/cancel' }))).toEqual(unknown);
  });

  test.each(['GET', 'DELETE'] as const)('a %s can be sent again', async (method) => {
    const port = await serveRaw((socket) => socket.once('data', () => socket.destroy()));
    const sending = forwardTo(port).send({ method, path: '/responses/resp_1' });
    expect(await failureOf(sending)).toEqual({ kind: 'upstream_unavailable' });
  });

  test('nothing is sent for a client that has left', async () => {
    let connections = 0;
    const port = await serveRaw(() => {
      connections += 1;
    });
    const signal = AbortSignal.abort(new GatewayError('client_gone', 'gone'));
    expect(await failureOf(forwardTo(port).send({ signal }))).toEqual({ kind: 'client_gone' });
    expect(connections).toBe(0);
  });

  test('nothing is sent to an address that leads elsewhere', async () => {
    let connections = 0;
    const port = await serveRaw(() => {
      connections += 1;
    });
    const { send } = forwardTo(port);
    expect(await failureOf(send({ path: '/responses/%2e%2e/models' }))).toEqual({ kind: 'invalid_value' });
    expect(await failureOf(send({ search: '?api-key=a' }))).toEqual({ kind: 'unknown_parameter' });
    expect(connections).toBe(0);
  });
});
