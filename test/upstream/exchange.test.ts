import { once } from 'node:events';
import https from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { exchange } from '../../src/upstream/exchange.ts';
import { certificate, serveHttp, serveRaw } from '../helpers/loopback-server.ts';

const { signal } = new AbortController();
const call = { path: '/', method: 'POST', signal } as const;

test('whoever reads a large answer slowly makes errors with stacks, to its very end', async () => {
  const port = await serveHttp((_request, response) => response.end(Buffer.alloc(1_000_000)));
  const origin = `http://127.0.0.1:${port}`;
  const pool = new Pool(origin, { pipelining: 0 });
  onTestFinished(() => pool.destroy());
  const { stackTraceLimit } = Error;
  const limits = new Set<number>();
  const { body } = await exchange(pool, { origin, ...call });
  for await (const _ of body) {
    limits.add(Error.stackTraceLimit);
    await pause(1);
  }
  limits.add(Error.stackTraceLimit);
  expect([...limits]).toEqual([stackTraceLimit]);
});

test('errors have stacks again after two answers that end in one tick', async () => {
  const controller = {} as Dispatcher.DispatchController;
  const handlers: Dispatcher.DispatchHandler[] = [];
  const dispatcher = {
    dispatch(_options: unknown, handler: Dispatcher.DispatchHandler) {
      handlers.push(handler);
      handler.onRequestStart?.(controller, {});
      handler.onResponseStart?.(controller, 200, {}, '');
      return true;
    },
  } as unknown as Dispatcher;
  const { stackTraceLimit } = Error;
  await Promise.all([exchange(dispatcher, call), exchange(dispatcher, call)]);
  for (const handler of handlers) handler.onResponseEnd?.(controller, {});
  await new Promise((resolve) => process.nextTick(resolve));
  expect([stackTraceLimit > 0, Error.stackTraceLimit]).toEqual([true, stackTraceLimit]);
});

describe('a POST whose caller leaves while it connects', () => {
  /** A server that lets TLS wait until it is told to go on; that resolves when the connection has ended. */
  async function serveSlowTls() {
    const held = Promise.withResolvers<Socket>();
    const received: (string | undefined)[] = [];
    const server = https.createServer(certificate, ({ url }, response) => {
      received.push(url);
      response.end();
    });
    server.on('tlsClientError', () => {});
    const port = await serveRaw((socket) => held.resolve(socket.pause()));
    const goOn = async () => {
      const socket = await held.promise;
      server.emit('connection', socket);
      await once(socket, 'close');
    };
    return { origin: `https://localhost:${port}`, isHeld: held.promise, goOn, received };
  }

  test('is not sent when the connection is there after that, nor called sent', async () => {
    const { origin, isHeld, goOn, received } = await serveSlowTls();
    const pool = new Pool(origin, { pipelining: 0, allowH2: false, connect: { ca: certificate.cert } });
    onTestFinished(() => pool.destroy());
    const abort = new AbortController();
    let isSent = false;
    const onSent = () => {
      isSent = true;
    };
    const paid = exchange(pool, { ...call, path: '/paid', origin, body: 'paid', onSent, signal: abort.signal });
    await isHeld;
    const reason = new Error('the caller has left');
    abort.abort(reason);
    await expect(paid).rejects.toBe(reason);
    await goOn();
    expect([received, isSent]).toEqual([[], false]);
  });
});
