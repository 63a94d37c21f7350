import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { generationsPath, openSocket, type Rig, rawCall, startRig } from '../end-to-end/rig.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';

// Callers that take their time, or many connections, take nothing from others.

const patience = { timeout: 60_000 };

/** What a connection has received, and whether it has ended. */
function listen(socket: Socket): { readonly text: () => string; readonly closed: Promise<unknown> } {
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
  });
  socket.on('end', () => socket.end());
  return { text: () => text, closed: once(socket, 'close') };
}

/** The limits of production take too long to wait for; their mechanism is the same with shorter ones. */
async function startHurried(): Promise<Rig> {
  const rig = await startRig();
  const { server } = rig.app.server;
  server.headersTimeout = 300;
  server.requestTimeout = 600;
  server.keepAliveTimeout = 300;
  return rig;
}

test('the limits are these', async () => {
  const { server } = (await startRig()).app.server;
  const { headersTimeout, requestTimeout, keepAliveTimeout, maxConnections } = server;
  expect({ headersTimeout, requestTimeout, keepAliveTimeout, maxConnections }).toEqual({
    headersTimeout: 10_000,
    requestTimeout: 300_000,
    keepAliveTimeout: 65_000,
    maxConnections: 10_000,
  });
});

describe('a request that arrives too slowly', () => {
  const head = `POST ${generationsPath} HTTP/1.1\r\nhost: x\r\napi-key: ${gatewayKey}\r\ncontent-type: application/json\r\n`;

  const begun = {
    'a connection without a byte': '',
    'half a line': 'POST /v1/im',
    'headers without an end': head,
    'a body without an end': `${head}content-length: 100\r\n\r\n{"prompt":`,
    'chunks without an end': `${head}transfer-encoding: chunked\r\n\r\n5\r\n{"pro\r\n`,
  };
  const dripped = {
    'headers that drip': 'GET /v1/models HTTP/1.1\r\nhost: x\r\nx-slow: ',
    'a body that drips': `${head}content-length: 100000\r\n\r\n`,
  };

  test('is refused with 408 in the usual shape, and its connection ends', async () => {
    const rig = await startHurried();
    const ends = Object.entries({ ...begun, ...dripped }).map(async ([name, bytes]) => {
      const socket = openSocket(rig.url);
      const { text, closed } = listen(socket);
      if (bytes !== '') socket.write(bytes);
      const drip = setInterval(() => name in dripped && socket.write('a'), 50);
      await closed.catch(() => {}).finally(() => clearInterval(drip));
      return [name, text()];
    });
    const refused = /^HTTP\/1\.1 408 [\s\S]*\r\nconnection: close\r\n[\s\S]*"code":"request_timeout"/;
    for (const [name, text] of await Promise.all(ends))
      expect([name, text]).toEqual([name, expect.stringMatching(refused)]);
    expect(rig.simulator.ledger.received).toBe(0);
  });

  test('a connection that stays after its answer is closed without a word', async () => {
    const rig = await startHurried();
    const socket = openSocket(rig.url);
    const { text, closed } = listen(socket);
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await closed;
    expect(text().match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

describe('slow bodies', () => {
  const callers = { slow: { keys: [{ key: 'key-of-slow' }] }, shop: { keys: [{ key: 'key-of-shop' }] } };
  const head = (path: string, type: string, rest: string) =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\napi-key: key-of-slow\r\ncontent-type: ${type}\r\n${rest}\r\n`;
  const form = 'multipart/form-data; boundary=b';
  const editsPath = '/v1/images/edits';

  /** Opens 520 connections, of which each has sent this much, and waits until the gateway has seen it all. */
  async function attack(rig: Rig, bytes: string): Promise<Socket[]> {
    const sockets = Array.from({ length: 520 }, () => openSocket(rig.url));
    const received = once520(rig);
    for (const socket of sockets) socket.write(bytes);
    await received;
    return sockets;
  }

  function once520({ app }: Rig): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let requests = 0;
    app.server.server.on('request', () => {
      requests += 1;
      if (requests === 520) setImmediate(resolve);
    });
    return promise;
  }

  test.each([
    ['one byte of JSON each', `${head(generationsPath, 'application/json', 'content-length: 100\r\n')}{`],
    ['one byte of a megabyte', `${head(generationsPath, 'application/json', 'content-length: 1000000\r\n')}{`],
    ['one byte in chunks', `${head(generationsPath, 'application/json', 'transfer-encoding: chunked\r\n')}1\r\n{\r\n`],
    ['one byte of an edit as JSON', `${head(editsPath, 'application/json', 'content-length: 100000000\r\n')}{`],
    ['one byte of a form', `${head(editsPath, form, 'content-length: 100000000\r\n')}-`],
  ])('520 of one key keep nobody from their image, not even the same key: %s', async (_, bytes) => {
    const rig = await startRig({ callers });
    const sockets = await attack(rig, bytes);
    for (const key of ['key-of-slow', 'key-of-shop', gatewayKey]) {
      const headers = { authorization: `Bearer ${key}` };
      expect((await callGateway(rig.url, { prompt: 'a cat' }, { headers })).status).toBe(200);
    }
    expect(rig.app.gateway.admission.heldBytes).toBeGreaterThan(0);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => rig.app.gateway.admission.heldBytes, patience).toBe(0);
  });

  test('that hold half of the memory are refused more of it, and others are served', async () => {
    const megabyte = 1024 * 1024;
    const rig = await startRig({ callers, limits: { heldBytes: 20 * megabyte } });
    const body = Buffer.alloc(900_000, ' ').toString();
    const bytes = head(generationsPath, 'application/json', 'content-length: 1000000\r\n') + body;
    const listened = Array.from({ length: 20 }, () => {
      const socket = openSocket(rig.url);
      socket.write(bytes);
      return listen(socket);
    });
    const refused = () => listened.filter(({ text }) => text().includes('"code":"overloaded"')).length;
    await expect.poll(refused, patience).toBeGreaterThanOrEqual(8);
    expect(rig.app.gateway.admission.heldBytes).toBeLessThanOrEqual(10 * megabyte);
    const headers = { authorization: 'Bearer key-of-shop' };
    expect((await callGateway(rig.url, { prompt: 'a cat' }, { headers })).status).toBe(200);
    expect(rig.simulator.ledger.received).toBe(1);
  });

  test('may be a thousand of one key, and others are served', async () => {
    const rig = await startRig({ callers });
    const bytes = `${head(generationsPath, 'application/json', 'content-length: 100\r\n')}{`;
    await attack(rig, bytes);
    await attack(rig, bytes);
    const ask = async (key: string) => {
      const answer = await callGateway(rig.url, { prompt: 'a cat' }, { headers: { authorization: `Bearer ${key}` } });
      return answer.status === 200 ? 200 : answer.json().error.code;
    };
    expect([await ask('key-of-slow'), await ask('key-of-shop')]).toEqual(['overloaded', 200]);
  });

  const json = (rest: string) => head(generationsPath, 'application/json', rest);
  test.each([
    ['one byte', `${json('content-length: 100\r\n')}{`, undefined],
    ['nothing after "continue"', json('content-length: 100\r\nexpect: 100-continue\r\n'), undefined],
    ['chunks that drip', `${json('transfer-encoding: chunked\r\n')}1\r\n{\r\n`, '1\r\n \r\n'],
    ['a body that drips', `${json('content-length: 100000\r\n')}{`, ' '],
  ])('are answered with 408 after their time, and their connection ends: %s', async (_, bytes, drop) => {
    const rig = await startRig({ callers, times: { jsonGraceMs: 300 } });
    const socket = openSocket(rig.url);
    const { text, closed } = listen(socket);
    socket.write(bytes);
    const drip = setInterval(() => drop && socket.write(drop), 20);
    await closed.finally(() => clearInterval(drip));
    expect(text()).toMatch(/HTTP\/1\.1 408 [\s\S]*\r\nconnection: close\r\n[\s\S]*"code":"request_timeout"/);
    expect(rig.simulator.ledger.received).toBe(0);
    await expect.poll(() => rig.app.gateway.admission.heldBytes, patience).toBe(0);
  });

  test('behind another request on the same connection are answered after that one', async () => {
    const rig = await startRig({ callers, times: { jsonGraceMs: 300 } });
    const socket = openSocket(rig.url);
    const { text, closed } = listen(socket);
    socket.write(`${rawCall({ prompt: 'a cat' }, ['api-key: key-of-shop'])}${json('content-length: 100\r\n')}{`);
    await closed;
    expect(text().match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 408']);
    expect(rig.simulator.ledger.received).toBe(1);
  });

  test('that come in pieces, but in time, are read, and their connection stays', async () => {
    const rig = await startRig({ callers });
    const socket = openSocket(rig.url);
    const { text } = listen(socket);
    for (const round of [1, 2]) {
      const call = rawCall({ prompt: 'ein Kätzchen' }, ['api-key: key-of-shop']);
      for (const [at, byte] of [...Buffer.from(call)].entries()) {
        socket.write(Buffer.of(byte));
        if (at % 40 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await expect.poll(() => text().match(/HTTP\/1\.1 200/g)?.length, patience).toBe(round);
    }
    expect(rig.paidPosts('ein Kätzchen')).toHaveLength(2);
    socket.destroy();
    await expect.poll(() => rig.app.gateway.admission.heldBytes, patience).toBe(0);
  });
});

describe('many connections', () => {
  test('2,000 of them that say nothing, and 200 that drip, keep nobody from their image', async () => {
    const rig = await startRig();
    const sockets = Array.from({ length: 2_200 }, () => openSocket(rig.url));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (const socket of sockets.slice(0, 200)) socket.write('GET /v1/models HTTP/1.1\r\nx: ');
    for (let call = 0; call < 5; call += 1) {
      expect((await callGateway(rig.url, { prompt: 'a cat' })).status).toBe(200);
    }
    expect(rig.app.gateway.inFlight).toBe(0);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => connectionsOf(rig), patience).toBeLessThan(10);
  });

  test('more than there may be are closed at once; those that are there are served', async () => {
    const rig = await startRig();
    rig.app.server.server.maxConnections = 3;
    const kept = Array.from({ length: 3 }, () => openSocket(rig.url));
    await Promise.all(kept.map((socket) => once(socket, 'connect')));
    await expect.poll(() => connectionsOf(rig), patience).toBe(3);
    const refused = openSocket(rig.url);
    await listen(refused).closed;
    const [first] = kept as [Socket];
    const { text } = listen(first);
    first.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(text, patience).toMatch(/^HTTP\/1\.1 200 /);
    first.destroy();
    await expect.poll(() => connectionsOf(rig), patience).toBe(2);
    expect((await callGateway(rig.url, { prompt: 'a cat' })).status).toBe(200);
  });

  function connectionsOf({ app }: Rig): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    app.server.server.getConnections((_error, count) => resolve(count));
    return promise;
  }
});

describe('requests in a row on one connection', () => {
  test('1,000 at once are answered in their order, and others are served in between', async () => {
    const rig = await startRig();
    const socket = openSocket(rig.url);
    const { text, closed } = listen(socket);
    const requests = Array.from(
      { length: 1_000 },
      (_, at) => `GET /v1/models HTTP/1.1\r\nhost: x\r\napi-key: ${gatewayKey}\r\nx-request-id: id-${at}\r\n\r\n`,
    );
    const last = 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    socket.write(requests.join('') + last);
    const others = await Promise.all([1, 2, 3].map(() => callGateway(rig.url, { prompt: 'a cat' })));
    expect(others.map(({ status }) => status)).toEqual([200, 200, 200]);
    await closed;
    const ids = [...text().matchAll(/x-request-id: (id-\d+)\r/g)].map(([, id]) => id);
    expect(ids).toEqual(requests.map((_, at) => `id-${at}`));
  });

  test('100 paid ones are let in as far as there is room, and are no more than those of others', async () => {
    const rig = await startRig({ modelKeys: {} });
    const socket = openSocket(rig.url);
    const { text, closed } = listen(socket);
    const calls = Array.from({ length: 100 }, (_, at) =>
      rawCall({ prompt: 'a cat' }, [`api-key: ${gatewayKey}`, ...(at === 99 ? ['connection: close'] : [])]),
    );
    socket.write(calls.join(''));
    await closed;
    expect(text().match(/HTTP\/1\.1 200 /g)).toHaveLength(100);
    expect(rig.simulator.ledger.counts().billed).toBe(100);
  });

  test('a stranger’s are each refused', async () => {
    const rig = await startRig();
    const socket = openSocket(rig.url);
    const { text, closed } = listen(socket);
    const line = 'GET /v1/models HTTP/1.1\r\nhost: x\r\n';
    socket.write(`${`${line}\r\n`.repeat(99)}${line}connection: close\r\n\r\n`);
    await closed;
    expect(text().match(/HTTP\/1\.1 401 /g)).toHaveLength(100);
  });
});
