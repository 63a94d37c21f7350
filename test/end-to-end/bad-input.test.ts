import { once } from 'node:events';
import type { Socket } from 'node:net';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { exchange, generationsPath, openSocket, type Rig, rawCall, startRig } from './rig.ts';
import { startStore } from './store.ts';

type Refusal = { status: number; headers: Record<string, string>; text: string };

type Call = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
};

const goodKey = { authorization: `Bearer ${gatewayKey}` };
const json = { 'content-type': 'application/json' };

async function call(
  { url }: Rig,
  { method = 'POST', path = generationsPath, headers = { ...goodKey, ...json }, body }: Call,
): Promise<Refusal> {
  const response = await request(`${url}${path}`, { method, headers, body: body ?? null });
  const text = await response.body.text();
  return { status: response.statusCode, headers: response.headers as Record<string, string>, text };
}

/** A response that came over a plain socket. */
async function rawRefusal(rig: Rig, bytes: string): Promise<Refusal> {
  const [head = '', text = ''] = (await exchange(rig.url, bytes)).split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line) => {
    const [name = '', ...value] = line.split(': ');
    return [name.toLowerCase(), value.join(': ')];
  });
  return { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(headers), text };
}

/** OpenAI's error shape, and the upstream was not called. */
function expectRefused(rig: Rig, response: Refusal, status: number, code: string, param: string | null = null): void {
  expect(response).toMatchObject({ status });
  expect(response.headers['content-type']).toMatch(/^application\/json/);
  expect(response.headers['x-request-id']).toMatch(/^[\w.-]+$/);
  expect(JSON.parse(response.text)).toEqual({
    error: { message: expect.stringMatching(/\S/), type: 'invalid_request_error', param, code },
  });
  expect(rig.simulator.ledger.requests).toEqual([]);
  expect(rig.app.gateway.inFlight).toBe(0);
}

describe('a body whose member is wrong', () => {
  test.each<[string, unknown, string, string | null, string | null]>([
    ['no prompt', {}, 'missing_required_parameter', 'prompt', 'image'],
    ['prompt null', { prompt: null }, 'missing_required_parameter', 'prompt', null],
    ['an empty prompt', { prompt: '' }, 'invalid_value', 'prompt', null],
    ['a number as prompt', { prompt: 7 }, 'invalid_value', 'prompt', null],
    ['a list as prompt', { prompt: ['a cat'] }, 'invalid_value', 'prompt', null],
    ['a prompt of 32001 characters', { prompt: 'x'.repeat(32_001) }, 'invalid_value', 'prompt', null],
    ['a prompt of 4001 for dall-e-3', { prompt: 'x'.repeat(4_001) }, 'invalid_value', 'prompt', 'dall-e-3'],
    ['a prompt of 1001 for dall-e-2', { prompt: 'x'.repeat(1_001) }, 'invalid_value', 'prompt', 'dall-e-2'],
    ['n 0', { prompt: 'a', n: 0 }, 'invalid_value', 'n', null],
    ['n -1', { prompt: 'a', n: -1 }, 'invalid_value', 'n', null],
    ['n 11', { prompt: 'a', n: 11 }, 'invalid_value', 'n', null],
    ['n 1.5', { prompt: 'a', n: 1.5 }, 'invalid_value', 'n', null],
    ['n as text', { prompt: 'a', n: '2' }, 'invalid_value', 'n', null],
    ['a number as size', { prompt: 'a', size: 1024 }, 'invalid_value', 'size', null],
    ['a list as quality', { prompt: 'a', quality: [] }, 'invalid_value', 'quality', null],
    ['output_compression 101', { prompt: 'a', output_compression: 101 }, 'invalid_value', 'output_compression', null],
    ['an object as user', { prompt: 'a', user: {} }, 'invalid_value', 'user', null],
    ['an unknown response_format', { prompt: 'a', response_format: 'png' }, 'invalid_value', 'response_format', null],
    [
      'a link where no images are hosted',
      { prompt: 'a', response_format: 'url' },
      'unsupported_parameter',
      'response_format',
      null,
    ],
    [
      'a link in a stream',
      { prompt: 'a', stream: true, response_format: 'url' },
      'invalid_value',
      'stream',
      'dall-e-3',
    ],
    ['stream as text', { prompt: 'a', stream: 'yes' }, 'invalid_value', 'stream', null],
    ['stream as the text true', { prompt: 'a', stream: 'true' }, 'invalid_value', 'stream', null],
    ['stream 1', { prompt: 'a', stream: 1 }, 'invalid_value', 'stream', null],
    ['stream as a list', { prompt: 'a', stream: [true] }, 'invalid_value', 'stream', null],
    ['partial_images without a stream', { prompt: 'a', partial_images: 2 }, 'invalid_value', 'partial_images', null],
    [
      'partial_images with stream false',
      { prompt: 'a', stream: false, partial_images: 1 },
      'invalid_value',
      'partial_images',
      'dall-e-2',
    ],
    ['partial_images 4', { prompt: 'a', stream: true, partial_images: 4 }, 'invalid_value', 'partial_images', null],
    ['partial_images -1', { prompt: 'a', stream: true, partial_images: -1 }, 'invalid_value', 'partial_images', null],
    ['partial_images 1.5', { prompt: 'a', stream: true, partial_images: 1.5 }, 'invalid_value', 'partial_images', null],
    [
      'partial_images as text',
      { prompt: 'a', stream: true, partial_images: '2' },
      'invalid_value',
      'partial_images',
      null,
    ],
    ['output_format bmp', { prompt: 'a', output_format: 'bmp' }, 'invalid_value', 'output_format', null],
    [
      'an output_format for dall-e-3 that nobody converts to',
      { prompt: 'a', output_format: 'gif' },
      'invalid_value',
      'output_format',
      'dall-e-3',
    ],
    [
      'output_compression of a png',
      { prompt: 'a', output_compression: 50, output_format: 'png' },
      'invalid_value',
      'output_compression',
      null,
    ],
    ['a size that no model makes', { prompt: 'a', size: '1025x1024' }, 'invalid_value', 'size', null],
    ['an unknown quality', { prompt: 'a', quality: 'xhigh' }, 'invalid_value', 'quality', null],
    ['a parameter name of 65 characters', { prompt: 'a', ['x'.repeat(65)]: 1 }, 'invalid_value', null, null],
    ['a parameter name with a blank', { prompt: 'a', 'a b': 1 }, 'invalid_value', null, null],
    ['a parameter name with a line break', { prompt: 'a', 'a\r\nx-evil: 1': 1 }, 'invalid_value', null, null],
    ['an empty parameter name', { prompt: 'a', '': 1 }, 'invalid_value', null, null],
    ['a parameter name of another script', { prompt: 'a', größe: 1 }, 'invalid_value', null, null],
    ['a stranger for dall-e-2', { prompt: 'a', mood: 1 }, 'unsupported_parameter', 'mood', 'dall-e-2'],
    ['a number as model', { prompt: 'a', model: 5 }, 'invalid_value', 'model', null],
    ['an empty model', { prompt: 'a', model: '' }, 'invalid_value', 'model', null],
  ])('%s is a 400 that names it', async (_, body, code, param, model) => {
    const rig = await startRig();
    const named = model === null ? body : { model, ...(body as object) };
    expectRefused(rig, await call(rig, { body: JSON.stringify(named) }), 400, code, param);
  });

  test.each([
    ['stream', 'response_format', { stream: true, response_format: 'url' }],
    ['partial_images', 'stream', { partial_images: 1 }],
    ['output_compression', 'output_format', { output_compression: 50, output_format: 'png' }],
  ])('%s beside %s: the message names both', async (one, other, body) => {
    const rig = await startRig();
    const response = await call(rig, { body: JSON.stringify({ prompt: 'a', ...body }) });
    expectRefused(rig, response, 400, 'invalid_value', one);
    const { message } = JSON.parse(response.text).error;
    expect(message).toContain(`'${one}'`);
    expect(message).toContain(`'${other}'`);
  });

  test('a link where the address of the gateway is not known is a 400, though there is a store', async () => {
    const { store } = await startStore();
    const rig = await startRig({ store, host: '0.0.0.0' });
    const response = await call(rig, { body: JSON.stringify({ prompt: 'a', response_format: 'url' }) });
    expectRefused(rig, response, 400, 'unsupported_parameter', 'response_format');
  });

  test.each(['nobody', '__proto__', 'constructor', 'IMAGE', 'image '])('the model %j is a 404', async (model) => {
    const rig = await startRig();
    const body = JSON.stringify({ model, prompt: 'a cat' });
    expectRefused(rig, await call(rig, { body }), 404, 'model_not_found', 'model');
  });
});

const levels = 100_000;
const deep = `${'['.repeat(levels)}${']'.repeat(levels)}`;
const deepObject = `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

describe('a body that is not what it should be', () => {
  test.each([
    ['cut JSON', '{"prompt":"a cat"', 'invalid_json'],
    ['JSON with something after it', '{"prompt":"a cat"}}', 'invalid_json'],
    ['a word', 'cat', 'invalid_json'],
    ['a form', 'prompt=a+cat', 'invalid_json'],
    ['control characters', '\u0000\u0001', 'invalid_json'],
    ['__proto__', '{"prompt":"a cat","__proto__":{"n":2}}', 'invalid_json'],
    ['__proto__ in escapes', '{"prompt":"a cat","\\u005f_proto__":{"n":2}}', 'invalid_json'],
    ['constructor.prototype', '{"prompt":"a cat","constructor":{"prototype":{"n":2}}}', 'invalid_json'],
    ['null', 'null', 'invalid_value'],
    ['a list', '[{"prompt":"a cat"}]', 'invalid_value'],
    ['a text', '"a cat"', 'invalid_value'],
    ['a number', '1e400', 'invalid_value'],
    ['a list of 100000 levels', deep, 'invalid_value'],
  ])('%s is a 400', async (_, body, code) => {
    const rig = await startRig();
    expectRefused(rig, await call(rig, { body }), 400, code);
  });

  test('a prompt of 100000 levels is a 400', async () => {
    const rig = await startRig();
    expectRefused(rig, await call(rig, { body: `{"prompt":${deep}}` }), 400, 'invalid_value', 'prompt');
  });

  test.each([
    ['lists', deep],
    ['objects', deepObject],
  ])('an unknown member of 100000 nested %s is the caller’s mistake, not ours', async (_, value) => {
    const rig = await startRig();
    const body = `{"prompt":"a cat","strange":${value}}`;
    expectRefused(rig, await call(rig, { body }), 400, 'invalid_value', 'strange');
  });

  test('an empty one is a 400, with and without its type', async () => {
    const rig = await startRig();
    expectRefused(rig, await call(rig, {}), 400, 'invalid_json');
    expectRefused(rig, await call(rig, { body: '' }), 400, 'invalid_json');
    expectRefused(rig, await call(rig, { headers: goodKey }), 400, 'invalid_value');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
  ])('%s is a 415, even when it holds JSON', async (type) => {
    const rig = await startRig();
    const body = JSON.stringify({ prompt: 'a cat' });
    const response = await call(rig, { headers: { ...goodKey, 'content-type': type }, body });
    expectRefused(rig, response, 415, 'unsupported_content_type');
  });

  test('one without content-type is a 415', async () => {
    const rig = await startRig();
    const response = await call(rig, { headers: goodKey, body: JSON.stringify({ prompt: 'a cat' }) });
    expectRefused(rig, response, 415, 'unsupported_content_type');
  });

  test.each([1024 * 1024 + 1, 20 * 1024 * 1024])('%i bytes with their length announced are a 413', async (length) => {
    const rig = await startRig();
    const body = JSON.stringify({ prompt: 'x'.repeat(length - 13) });
    expect(body).toHaveLength(length);
    expectRefused(rig, await call(rig, { body }), 413, 'request_too_large');
  });

  test('too many bytes in chunks are a 413', async () => {
    const rig = await startRig();
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const head = rawCall('', [`authorization: Bearer ${gatewayKey}`]).split('\r\n\r\n')[0] ?? '';
    const bytes = `${head.replace(/content-length: \d+/, 'transfer-encoding: chunked')}\r\n\r\n${chunk.repeat(17)}`;
    expectRefused(rig, await rawRefusal(rig, bytes), 413, 'request_too_large');
  });
});

describe('keys', () => {
  test.each([
    ['none', {}],
    ['an empty Bearer', { authorization: 'Bearer ' }],
    ['a wrong Bearer', { authorization: 'Bearer wrong' }],
    ['a key that only begins like a good one', { authorization: `Bearer ${gatewayKey}x` }],
    ['a key without Bearer', { authorization: gatewayKey }],
    ['another scheme', { authorization: `Basic ${gatewayKey}` }],
    ['a wrong api-key', { 'api-key': 'wrong' }],
    ['an empty api-key', { 'api-key': '' }],
    ['a wrong x-api-key', { 'x-api-key': 'wrong' }],
    ['a key in other letters', { 'api-key': gatewayKey.toUpperCase() }],
  ])('%s is a 401', async (_, headers) => {
    const rig = await startRig();
    const body = JSON.stringify({ prompt: 'a cat' });
    const response = await call(rig, { headers: { ...json, ...headers }, body });
    expectRefused(rig, response, 401, 'invalid_api_key');
    expect(response.headers['www-authenticate']).toBe('Bearer');
    expect(response.text).not.toContain(gatewayKey);
  });

  test('a stranger’s body is not looked at', async () => {
    const rig = await startRig();
    expectRefused(rig, await call(rig, { headers: json, body: '{' }), 401, 'invalid_api_key');
    const body = 'x'.repeat(2 * 1024 * 1024);
    expectRefused(rig, await call(rig, { headers: json, body }), 401, 'invalid_api_key');
  });

  test.each([
    { authorization: `Bearer ${gatewayKey}` },
    { authorization: `bearer ${gatewayKey}` },
    { authorization: `BEARER   ${gatewayKey} ` },
    { 'api-key': gatewayKey },
    { 'x-api-key': gatewayKey },
    { authorization: 'Bearer wrong', 'api-key': gatewayKey },
  ])('%o admits its caller', async (headers) => {
    const rig = await startRig();
    const response = await call(rig, { method: 'GET', path: '/v1/models', headers: headers as Record<string, string> });
    expect(response.status).toBe(200);
    expect(response.headers['www-authenticate']).toBeUndefined();
  });
});

describe('paths and methods', () => {
  test.each([
    ['broken JSON', '{'],
    ['a body that is too long', 'x'.repeat(1_100_000)],
  ])('an unknown URL is a 404 before its body is looked at: %s', async (_case, body) => {
    const { url } = await startRig();
    const { statusCode } = await request(`${url}/v1/images/edit`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(statusCode).toBe(404);
  });

  test.each(['TRACE', 'QUERY'])('%s on a known path is a 405 that says what is allowed', async (method) => {
    const rig = await startRig();
    const key = `authorization: Bearer ${gatewayKey}`;
    const head = `${method} /v1/images/generations HTTP/1.1\r\nhost: gateway\r\n${key}\r\nconnection: close\r\n\r\n`;
    expect(await exchange(rig.url, head)).toMatch(/^HTTP\/1\.1 405 [\s\S]*\r\nallow: POST\r\n/);
  });

  test('requests that are refused while they arrive leave nothing at their connection', async () => {
    const { url, app } = await startRig();
    const served = Promise.withResolvers<Socket>();
    app.server.server.once('connection', served.resolve);
    const socket = openSocket(url);
    const body = 'x'.repeat(100_000);
    const head = `POST /v1/images/variations HTTP/1.1\r\nhost: gateway\r\napi-key: ${gatewayKey}\r\ncontent-length: ${body.length}\r\n\r\n`;
    const listeners: number[] = [];
    for (let call = 0; call < 30; call += 1) {
      socket.write(head);
      await once(socket, 'data');
      socket.write(body);
      listeners.push((await served.promise).listenerCount('close'));
    }
    expect(new Set(listeners).size).toBe(1);
  });

  test.each([
    '/nothing',
    '/v1',
    '/v1/images',
    '/v1/images/generations/x',
    '/openai/images',
    '/openai/embeddings',
    '/v1/responses/resp_1/x',
    '/m/azure-image',
    '/%00',
  ])('%s is a 404', async (path) => {
    const rig = await startRig();
    expectRefused(rig, await call(rig, { path, body: '{}' }), 404, 'unknown_url');
  });

  test.each<[NonNullable<Call['method']>, string, string]>([
    ['GET', generationsPath, 'POST'],
    ['PUT', generationsPath, 'POST'],
    ['DELETE', generationsPath, 'POST'],
    ['OPTIONS', generationsPath, 'POST'],
    ['POST', '/v1/models', 'GET, HEAD'],
    ['DELETE', '/v1/models/image', 'GET, HEAD'],
    ['PATCH', '/metrics', 'GET, HEAD'],
    ['POST', '/readyz', 'GET, HEAD'],
    ['DELETE', '/healthz', 'GET, HEAD'],
    ['GET', '/v1/responses', 'POST'],
    ['PUT', '/v1/responses/resp_1', 'GET, HEAD, DELETE'],
    ['GET', '/v1/responses/resp_1/cancel', 'POST'],
  ])('%s %s is a 405 that says what is allowed', async (method, path, allow) => {
    const rig = await startRig();
    const response = await call(rig, { method, path, headers: goodKey });
    expectRefused(rig, response, 405, 'method_not_allowed');
    expect(response.headers.allow).toBe(allow);
  });

  test('a body of any type does not hide a wrong method', async () => {
    const rig = await startRig();
    const headers = { ...goodKey, 'content-type': 'text/plain' };
    const response = await call(rig, { path: '/v1/models', headers, body: 'hello' });
    expectRefused(rig, response, 405, 'method_not_allowed');
  });
});

const line = (text: string, headers = '') =>
  `${text} HTTP/1.1\r\nhost: gateway\r\n${headers}connection: close\r\nauthorization: Bearer ${gatewayKey}\r\n\r\n`;

describe('what is hardly HTTP', () => {
  test.each([
    [
      'a header block over the limit',
      line('GET /v1/models', `x-long: ${'x'.repeat(20_000)}\r\n`),
      431,
      'header_too_large',
    ],
    ['an address over the limit', line(`GET /${'x'.repeat(20_000)}`), 431, 'header_too_large'],
    ['garbage', 'garbage\r\n\r\n', 400, 'invalid_request'],
    ['the beginning of TLS', '\u0016\u0003\u0001\u0002\u0000\u0001', 400, 'invalid_request'],
    ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'invalid_request'],
    ['an unknown method', line('FETCH /v1/models'), 400, 'invalid_request'],
    ['a header with a blank in its name', line('GET /v1/models', 'x y: z\r\n'), 400, 'invalid_request'],
    ['a negative length', line(`POST ${generationsPath}`, 'content-length: -1\r\n'), 400, 'invalid_request'],
    [
      'two lengths',
      line(`POST ${generationsPath}`, 'content-length: 2\r\ncontent-length: 3\r\n'),
      400,
      'invalid_request',
    ],
    [
      'a length and chunks (smuggling)',
      line(`POST ${generationsPath}`, 'content-length: 2\r\ntransfer-encoding: chunked\r\n'),
      400,
      'invalid_request',
    ],
    [
      'a chunk without a size',
      `${line(`POST ${generationsPath}`, 'content-type: application/json\r\ntransfer-encoding: chunked\r\n')}zz\r\n{}`,
      400,
      'invalid_request',
    ],
  ])('%s is refused in the usual shape', async (_, bytes, status, code) => {
    const rig = await startRig();
    expectRefused(rig, await rawRefusal(rig, bytes), status, code);
  });

  test('a request without a host is a 400 in the usual shape', async () => {
    const rig = await startRig();
    const response = await rawRefusal(rig, 'GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n');
    expectRefused(rig, response, 400, 'invalid_request');
  });

  test('an expectation that nobody can meet is a 417 in the usual shape', async () => {
    const rig = await startRig();
    const response = await rawRefusal(rig, line(`POST ${generationsPath}`, 'expect: cake\r\ncontent-length: 0\r\n'));
    expectRefused(rig, response, 417, 'invalid_request');
  });

  test.each(['/%zz', '/v1/models/%', '/v1/models/%ff', '/v1/images/generations%c3'])(
    '%s, which cannot be decoded, is a 400, and the next request works',
    async (path) => {
      const rig = await startRig();
      const response = await rawRefusal(rig, line(`GET ${path}`));
      expectRefused(rig, response, 400, 'invalid_request');
      expect((await call(rig, { method: 'GET', path: '/v1/models' })).status).toBe(200);
    },
    5_000,
  );
});
