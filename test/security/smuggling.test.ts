import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { exchange, generationsPath, openSocket, requestLines, startRig } from '../end-to-end/rig.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';

// Two readers of one connection must agree where a request ends: whatever a proxy may read otherwise is refused, and the
// connection ends with it, so that what follows is never taken for a request.

const smuggled = `GET /v1/models HTTP/1.1\r\nhost: smuggled\r\napi-key: ${gatewayKey}\r\n\r\n`;
const body = '{"prompt":"a smuggled cat"}';

/** A request with these lines among its headers, and another one behind it. */
function request(lines: readonly string[], content = '', { method = 'POST', version = '1.1', host = 'host: x' } = {}) {
  const head = [
    `${method} ${generationsPath} HTTP/${version}`,
    host,
    `api-key: ${gatewayKey}`,
    'content-type: application/json',
  ];
  return `${[...head, ...lines].join('\r\n')}\r\n\r\n${content}${smuggled}`;
}

const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

const vectors: readonly (readonly [string, string])[] = [
  ['a length and chunks', request([`content-length: ${body.length}`, 'transfer-encoding: chunked'], chunked)],
  ['chunks and a length', request(['transfer-encoding: chunked', `content-length: ${body.length}`], chunked)],
  ['two lengths', request(['content-length: 0', `content-length: ${body.length}`], body)],
  ['two lengths in one header', request([`content-length: ${body.length}, 0`], body)],
  ['a signed length', request([`content-length: +${body.length}`], body)],
  ['a length in hexadecimal', request(['content-length: 0x1b'], body)],
  ['a length with a blank inside', request(['content-length: 2 7'], body)],
  ['a negative length', request(['content-length: -1'], body)],
  ['a length that overflows', request(['content-length: 18446744073709551616'], body)],
  ['an empty length', request(['content-length: '], body)],
  ['a blank before the colon', request([`content-length : ${body.length}`], body)],
  ['a tab before the colon', request(['transfer-encoding\t: chunked'], chunked)],
  ['a line that is folded', request(['x-a: b', ' transfer-encoding: chunked'], chunked)],
  ['a header without a colon', request(['transfer-encoding chunked'], chunked)],
  ['a header without a name', request([': chunked'], chunked)],
  ['an encoding that is not chunked', request(['transfer-encoding: identity'], chunked)],
  ['an encoding of another name', request(['transfer-encoding: xchunked'], chunked)],
  ['chunked, but not last', request(['transfer-encoding: chunked, identity'], chunked)],
  ['chunked in quotes', request(['transfer-encoding: "chunked"'], chunked)],
  ['chunked behind a control character', request(['transfer-encoding: \u000bchunked'], chunked)],
  ['two encodings', request(['transfer-encoding: chunked', 'transfer-encoding: identity'], chunked)],
  ['a NUL in a header', request(['x-a: b\u0000c', 'content-length: 0'])],
  ['a lone CR in a header', request(['x-a: b\rtransfer-encoding: chunked', 'content-length: 0'])],
  ['lines that end with LF only', request(['content-length: 0']).replace('host: x\r\n', 'host: x\n')],
  ['a chunk whose size is none', request(['transfer-encoding: chunked'], 'zz\r\n')],
  ['a chunk with a signed size', request(['transfer-encoding: chunked'], '+1b\r\n')],
  ['a chunk whose size is written with 0x', request(['transfer-encoding: chunked'], `0x1b\r\n${body}\r\n0\r\n\r\n`)],
  ['a chunk whose size overflows', request(['transfer-encoding: chunked'], `fffffffffffffffff\r\n${body}`)],
  ['a chunk that ends with LF only', request(['transfer-encoding: chunked'], `1b\n${body}\n0\n\n`)],
  ['a chunk that is longer than it says', request(['transfer-encoding: chunked'], `2\r\n${body}\r\n0\r\n\r\n`)],
  ['a version that does not exist', request(['content-length: 0'], '', { version: '1.9' })],
  ['a blank in the target', request(['content-length: 0']).replace(generationsPath, '/v1/images /generations')],
  ['a method with a blank before it', ` ${request(['content-length: 0'])}`],
];

/** How often a line begins with the status of an answer. */
function answersIn(text: string): number {
  return text.match(/HTTP\/1\.1 [1-5]\d\d /g)?.length ?? 0;
}

describe('a request whose end is in doubt', () => {
  test.each(vectors)('%s: one 400 in the usual shape, and the rest of the connection is not read', async (_, bytes) => {
    const rig = await startRig();
    const text = await exchange(rig.url, bytes);
    expect(text).toMatch(
      /^HTTP\/1\.1 4\d\d [\s\S]*\r\n\r\n\{"error":\{"message":"[^"]+","type":"invalid_request_error"/,
    );
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    expect(answersIn(text)).toBe(1);
    expect(rig.simulator.ledger.received).toBe(0);
    expect(requestLines(rig).filter(({ route }) => route === '/v1/models')).toEqual([]);
  });

  test('by contrast, with one length, or in chunks: both requests are answered', async () => {
    const rig = await startRig();
    const last = smuggled.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n');
    for (const good of [
      request([`content-length: ${body.length}`], body),
      request(['transfer-encoding: chunked'], chunked),
      request(['Transfer-Encoding: Chunked'], chunked),
    ]) {
      const text = await exchange(rig.url, good.replace(smuggled, last));
      expect(answersIn(text)).toBe(2);
    }
    expect(rig.simulator.ledger.received).toBe(3);
  });

  const hosts: readonly (readonly [string, readonly string[]])[] = [
    ['two hosts', ['host: x', 'Host: y']],
    ['two equal hosts', ['host: x', 'HOST: x']],
    ['two hosts, one of them empty', ['host: x', 'host:']],
    ['two hosts with a header between them', ['host: x', 'accept: */*', 'host: y']],
    ['two hosts in one header', ['host: x, y']],
    ['a host with a path', ['host: x/v1']],
    ['a host with a user', ['host: user@x']],
    ['a host with a blank inside', ['host: x y']],
    ['a host with a port that is none', ['host: x:y']],
    ['no host', []],
  ];

  test.each(hosts)('%s: a 400 that ends the connection, whatever follows in it', async (_, lines) => {
    const rig = await startRig();
    const paid = request([`content-length: ${body.length}`], body).replace(smuggled, '');
    const headers = [...lines, `api-key: ${gatewayKey}`];
    const targets = ['GET /v1/models', 'GET /nothing', 'GET /%zz', 'HEAD /healthz', `POST ${generationsPath}`];
    for (const target of targets) {
      // No `connection: close` is asked for: it is the gateway that ends the connection.
      const text = await exchange(
        rig.url,
        `${[`${target} HTTP/1.1`, ...headers].join('\r\n')}\r\n\r\n${paid}${smuggled}`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      expect(text).toMatch(/\r\nconnection: close\r\n/i);
      if (!target.startsWith('HEAD')) expect(text).toContain('"code":"invalid_request"');
      expect(answersIn(text)).toBe(1);
    }
    expect(rig.simulator.ledger.received).toBe(0);
    await expect.poll(() => rig.app.gateway.inFlight).toBe(0);
    expect(requestLines(rig).filter(({ status }) => status !== 400)).toEqual([]);
  });

  test('two hosts end the connection also before the body has come, and for bytes that come later', async () => {
    const rig = await startRig();
    const socket = openSocket(rig.url);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
      // Now that the answer is there: another request on the same connection.
      socket.write(smuggled);
    });
    socket.on('end', () => socket.end());
    socket.write(`POST ${generationsPath} HTTP/1.1\r\nhost: x\r\nhost: y\r\napi-key: ${gatewayKey}\r\n\r\n`);
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(answersIn(text)).toBe(1);
    expect(requestLines(rig).map(({ status }) => status)).toEqual([400]);
  });

  test('a request that is worked on is answered before two hosts behind it end the connection', async () => {
    const rig = await startRig();
    const good = request([`content-length: ${body.length}`], body).replace(smuggled, '');
    const text = await exchange(rig.url, `${good}GET /v1/models HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n${good}`);
    expect(text.match(/HTTP\/1\.1 \d\d\d /g)).toEqual(['HTTP/1.1 200 ', 'HTTP/1.1 400 ']);
    expect(rig.simulator.ledger.received).toBe(1);
  });

  test('a body of a GET, or behind HEAD, is a body and no request', async () => {
    const rig = await startRig();
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE']) {
      const inside = smuggled.replace('/v1/models', '/readyz');
      const text = await exchange(
        rig.url,
        `${method} /v1/models HTTP/1.1\r\nhost: x\r\napi-key: ${gatewayKey}\r\nconnection: close\r\ncontent-length: ${inside.length}\r\n\r\n${inside}`,
      );
      expect([method, answersIn(text)]).toEqual([method, 1]);
    }
    expect(requestLines(rig).filter(({ route }) => route === '/readyz')).toEqual([]);
  });
});

describe('headers', () => {
  const get = (lines: readonly string[]) =>
    `${['GET /v1/models HTTP/1.1', 'host: x', `api-key: ${gatewayKey}`, 'connection: close', ...lines].join('\r\n')}\r\n\r\n`;

  test.each([
    ['one of 17 kB', [`x-long: ${'x'.repeat(17_000)}`]],
    ['a name of 17 kB', [`${'x'.repeat(17_000)}: y`]],
    ['6,000 of two characters', Array.from({ length: 6_000 }, () => 'a:')],
    ['a cookie of 17 kB', [`cookie: ${'a=b; '.repeat(3_500)}`]],
  ])('too many or too long (%s): 431, and the next caller is served', async (_, lines) => {
    const rig = await startRig();
    expect(await exchange(rig.url, get(lines))).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"header_too_large"/);
    expect(await exchange(rig.url, get([]))).toMatch(/^HTTP\/1\.1 200 /);
  });

  test.each([
    ['3,000 of two characters', Array.from({ length: 3_000 }, () => 'a:')],
    ['1,000 keys', Array.from({ length: 800 }, () => 'x-api-key: wrong')],
    ['named like parts of objects', ['__proto__: x', 'constructor: y', 'toString: z', 'hasOwnProperty: a']],
  ])('strange ones (%s) harm nobody', async (_, lines) => {
    const rig = await startRig();
    expect(await exchange(rig.url, get(lines))).toMatch(/^HTTP\/1\.1 (?:200|401|431) /);
    expect(await exchange(rig.url, get([]))).toMatch(/^HTTP\/1\.1 200 /);
  });
});
