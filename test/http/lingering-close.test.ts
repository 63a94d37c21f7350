import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { lingerBeforeClose } from '../../src/http/lingering-close.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A caller that has sent a part of its body and got its refusal, and the request as the server sees it. */
async function refused(): Promise<{ caller: Socket; request: IncomingMessage }> {
  const arrived = Promise.withResolvers<IncomingMessage>();
  const server = http.createServer((request, response) => {
    arrived.resolve(request);
    lingerBeforeClose(response);
    response.writeHead(400, { connection: 'close', 'content-length': 2 });
    response.end('no');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // It leaves the closing to the gateway.
  const { port } = server.address() as AddressInfo;
  const caller = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void caller.destroy());
  caller.write('POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 100000\r\n\r\nabc');
  await once(caller, 'data');
  return { caller, request: await arrived.promise };
}

test('a connection is closed with the end of its body, without a timer', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const { caller, request } = await refused();
  const ends = Promise.all([once(request, 'end'), once(request.socket, 'close')]);
  caller.write('x'.repeat(100_000 - 3));
  caller.resume();
  await ends;
});

test('a caller that hangs up amid its body leaves no timer', async () => {
  const started = vi.spyOn(globalThis, 'setInterval');
  const cleared = vi.spyOn(globalThis, 'clearInterval');
  const { caller } = await refused();
  const timers = started.mock.results.map(({ value }) => value);
  expect(timers).toHaveLength(1);
  caller.destroy();
  // It would end by itself after five seconds.
  await expect.poll(() => cleared.mock.calls.map(([timer]) => timer), { timeout: 3_000 }).toContain(timers[0]);
});
