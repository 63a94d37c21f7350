import { once } from 'node:events';
import https from 'node:https';
import type { Socket } from 'node:net';
import { type Dispatcher, Pool } from 'undici';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { exchange } from '../../src/upstream/exchange.ts';
import { certificate, serveRaw } from '../helpers/loopback-server.ts';

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
    const attempt = { sent: false };
    const url = new URL('/paid', origin);
    const paid = exchange(pool, { method: 'POST', url, body: 'paid', attempt, signal: abort.signal });
    await isHeld;
    const reason = new Error('the caller has left');
    abort.abort(reason);
    await expect(paid).rejects.toBe(reason);
    await goOn();
    expect([received, attempt.sent]).toEqual([[], false]);
  });
});

test('a call that was given up before it began is not dispatched', async () => {
  const dispatch = vi.fn<Dispatcher['dispatch']>();
  const reason = new Error('the caller has left');
  const url = new URL('https://localhost/paid');
  const given = exchange({ dispatch } as unknown as Dispatcher, {
    method: 'POST',
    url,
    signal: AbortSignal.abort(reason),
  });
  await expect(given).rejects.toBe(reason);
  expect(dispatch).not.toHaveBeenCalled();
});
