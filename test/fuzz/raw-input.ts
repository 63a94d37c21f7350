import type { Dice } from './dice.ts';
import { fuzzKey } from './fuzzed-gateway.ts';

export type RawInput = {
  readonly kind: string;
  readonly bytes: Buffer;
  /** So many responses are owed, because all of it is valid HTTP; `undefined`: that is not known. */
  readonly owed?: number;
};

type Header = readonly [name: string, value: string];
type Request = {
  method: string;
  target: string;
  version: string;
  headers: Header[];
  body: string;
  lineEnd: string;
};

const roots = ['/v1', '/openai/v1', '/openai', '/openai/deployments/image', '/v1/deployments/image'];
const operations = ['images/generations', 'images/edits', 'images/variations', 'images/generations:submit', 'models'];

function target(dice: Dice): string {
  const prefix = dice.chance(0.2) ? '/m/image' : '';
  const own = ['/', '/healthz', '/readyz', '/metrics', '/openapi.json', '/v1/images/files/x', '/v1/models/image'];
  return dice.chance(0.3) ? dice.one(own) : `${prefix}${dice.one(roots)}/${dice.one(operations)}`;
}

/** A request as a client would write it; what it requests can be refused all the same. */
function plainRequest(dice: Dice, mark: string): Request {
  const isPost = dice.chance(0.6);
  const body = isPost ? bodyText(dice, mark) : '';
  const headers: Header[] = [
    ['host', 'gateway'],
    ...(dice.chance(0.85) ? [['authorization', `Bearer ${fuzzKey}`] as const] : []),
    ...(isPost ? [['content-type', dice.chance(0.9) ? 'application/json' : 'text/plain'] as const] : []),
    ...(isPost ? [['content-length', String(Buffer.byteLength(body))] as const] : []),
  ];
  const method = isPost ? 'POST' : dice.one(['GET', 'GET', 'GET', 'HEAD', 'OPTIONS', 'DELETE']);
  return { method, target: target(dice), version: 'HTTP/1.1', headers, body, lineEnd: '\r\n' };
}

/** Seldom one that is paid for: those are slow, and bodies have fuzzing of their own. */
function bodyText(dice: Dice, mark: string): string {
  if (dice.chance(0.15)) return JSON.stringify({ prompt: mark });
  return dice.one([
    '',
    '{',
    'null',
    '[]',
    '{}',
    `{"prompt":"${mark}","n":0}`,
    `{"prompt":"${mark}","__proto__":{"n":1}}`,
    `{"prompt":"${mark}","model":"nobody"}`,
    '\u0000',
    '[['.repeat(500),
    '{"prompt":"\\ud800","n":[]}',
  ]);
}

function write({ method, target: url, version, headers, body, lineEnd }: Request): Buffer {
  const head = [`${method} ${url} ${version}`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${head.join(lineEnd)}${lineEnd}${lineEnd}${body}`, 'latin1');
}

function withHeader(headers: readonly Header[], name: string, ...values: string[]): Header[] {
  return [...headers.filter(([other]) => other !== name), ...values.map((value): Header => [name, value])];
}

const long = 'x'.repeat(20_000);

const methods = [
  'get',
  'FETCH',
  'PRI',
  'G\tET',
  'GET\0',
  '',
  'POST POST',
  long,
  'CONNECT',
  'TRACE',
  'QUERY',
  'PURGE',
  'M-SEARCH',
  'ÄÖ',
  'PROPFIND',
];
const targets = [
  '*',
  'gateway:80',
  'http://gateway/v1/models',
  'https://evil.example/v1/models',
  'http://',
  '//v1//models',
  '/v1/models/..%2f..%2fetc',
  '/v1/../metrics',
  '/v1/models/%00',
  '/v1/models/%',
  '/v1/models/%ff%fe',
  '/v1/models/__proto__',
  '/v1/models/constructor',
  '/v1/images/files/../../etc/passwd',
  '/v1/images/files/%2e%2e%2f',
  `/v1/models/${'a/'.repeat(400)}`,
  `/m/${'a/'.repeat(400)}v1/models`,
  `/openai/deployments/${'x'.repeat(1200)}/images/generations`,
  `/${long}`,
  '/v1/models?a=1&a=2&__proto__[x]=1',
  `/v1/models?${'a=1&'.repeat(1000)}`,
  '/v1/models#fragment',
  '\\v1\\models',
  '/v1/mo dels',
  '/v1/models\0',
  '/\xff\xfe',
  'v1/models',
  '',
  '/m//v1/models',
  '/m/%2F/v1/models',
  '/V1/MODELS',
];
const versions = [
  'HTTP/1.0',
  'HTTP/0.9',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/9.9',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/1.',
  'XTTP/1.1',
  '',
  ' HTTP/1.1',
  'HTTP/11',
];

function requestLine(dice: Dice, mark: string): Request {
  const request = plainRequest(dice, mark);
  const part = dice.below(3);
  if (part === 0) request.method = dice.one(methods);
  if (part === 1) request.target = dice.one(targets);
  if (part === 2 || dice.chance(0.1)) request.version = dice.one(versions);
  return request;
}

const strangeHeaders: readonly Header[] = [
  ['host', ''],
  ['host', 'evil.example'],
  ['host', 'a\r\n b'],
  ['__proto__', 'x'],
  ['constructor', 'x'],
  ['x-long', long],
  ['x'.repeat(9_000), '1'],
  ['x-nul', 'a\0b'],
  ['x-return', 'a\rb'],
  ['x-feed', 'a\nx-evil: 1'],
  ['x-folded', 'a\r\n b'],
  ['x-folded', 'a\r\n\tb'],
  ['x y', 'z'],
  ['', 'z'],
  [' x', 'z'],
  ['x-latin', '\xff\xfe\x80'],
  ['x-control', '\x01\x1b[31m'],
  ['authorization', 'Bearer '],
  ['authorization', `Bearer ${'k'.repeat(9000)}`],
  ['authorization', `Basic ${fuzzKey}`],
  ['api-key', ''],
  ['x-api-key', '__proto__'],
  ['expect', '100-continue'],
  ['expect', 'cake'],
  ['upgrade', 'h2c'],
  ['upgrade', 'websocket'],
  ['connection', 'upgrade'],
  ['connection', 'close, content-length'],
  ['connection', 'keep-alive, transfer-encoding'],
  ['x-request-id', '<script>'],
  ['x-request-id', 'a'.repeat(65)],
  ['x-gateway-timeout-ms', '1e9'],
  ['x-gateway-timeout-ms', '-1'],
  ['x-gateway-timeout-ms', '99999999999999999999'],
  ['x-gateway-max-retries', '0x10'],
  ['x-gateway-max-retries', ''],
  ['x-target', '__proto__'],
  ['x-target', 'nobody'],
  ['content-type', ''],
  ['content-type', 'application/json;'],
  ['content-type', 'application/json; charset=utf-16'],
  ['content-type', 'application/json, text/plain'],
  ['content-type', `application/json; ${'a'.repeat(4000)}=b`],
  ['content-type', 'multipart/form-data'],
  ['content-type', 'multipart/form-data; boundary='],
  ['content-type', 'multipart/form-data; boundary="'],
  ['content-type', `multipart/form-data; boundary=${'b'.repeat(300)}`],
  ['content-type', 'multipart/form-data; boundary=x; boundary=y'],
  ['content-type', '\tapplication/json'],
  ['content-encoding', 'gzip'],
  ['range', 'bytes=0-0,1-1'],
  ['if-none-match', '*'],
  ['x-forwarded-for', '127.0.0.1\r\nx-evil: 1'],
  ['x-stainless-retry-count', '-1'],
  ['traceparent', '00-zz'],
  ['te', 'trailers'],
  ['trailer', 'content-length'],
];

function headerBlock(dice: Dice, mark: string): Request {
  const request = plainRequest(dice, mark);
  for (let times = 1 + dice.below(3); times > 0; times -= 1) {
    const header = dice.one(strangeHeaders);
    const others = dice.chance(0.7) ? request.headers.filter(([name]) => name !== header[0]) : request.headers;
    request.headers = dice.chance(0.5) ? [...others, header] : [header, ...others];
  }
  if (dice.chance(0.1)) request.headers = request.headers.filter(([name]) => name !== 'host');
  if (dice.chance(0.1))
    request.headers.push(...Array.from({ length: dice.one([90, 500, 2500]) }, (_, at): Header => [`h${at}`, '1']));
  if (dice.chance(0.05)) request.lineEnd = dice.one(['\n', '\r', '\r\r\n', '\n\r']);
  return request;
}

const lengths = [
  '0',
  '1',
  '-1',
  '+5',
  '5 ',
  ' 5',
  '05',
  '0x5',
  '5,5',
  '5, 6',
  '1e1',
  '',
  'abc',
  '5\0',
  '٥',
  '18446744073709551616',
  '9007199254740993',
  '2147483648',
  '200000001',
  '1048577',
];
const encodings = [
  'chunked',
  'Chunked',
  'xchunked',
  'chunked ',
  '\tchunked',
  'chunked, identity',
  'identity',
  'identity, chunked',
  'gzip, chunked',
  'chunked, chunked',
  'chunked\0',
  '"chunked"',
  'chunked;q=1',
  '',
  '\x0bchunked',
];

function chunked(dice: Dice, body: string): string {
  const size = dice.one([
    body.length.toString(16),
    body.length.toString(16).toUpperCase().padStart(8, '0'),
    `${body.length.toString(16)};a=b`,
    `${body.length.toString(16)};a="\r\n"`,
    `0x${body.length.toString(16)}`,
    '-1',
    'FFFFFFFFFFFFFFFF',
    'FFFFFFFFFFFFFFFFF0',
    '7fffffff',
    '',
    'zz',
    ` ${body.length.toString(16)}`,
    `${body.length.toString(16)} `,
    (body.length + 2).toString(16),
    Math.max(0, body.length - 1).toString(16),
  ]);
  const end = dice.one([
    '0\r\n\r\n',
    '0\r\n\r\n',
    '0\r\nx-trailer: 1\r\n\r\n',
    '0\r\ncontent-length: 5\r\n\r\n',
    '0\r\n',
    '',
    '00000\r\n\r\n',
    '0\n\n',
    `0\r\nx: ${long}\r\n\r\n`,
  ]);
  const gap = dice.one(['\r\n', '\r\n', '\r\n', '\n', '', '\r']);
  return `${size}\r\n${body}${gap}${end}`;
}

function framing(dice: Dice, mark: string): Request {
  const request = plainRequest(dice, mark);
  request.method = 'POST';
  if (dice.chance(0.5)) {
    request.headers = withHeader(request.headers, 'content-length', dice.one(lengths));
    if (dice.chance(0.3)) request.headers.push(['content-length', dice.one(lengths)]);
  } else {
    request.headers = [...withHeader(request.headers, 'content-length'), ['transfer-encoding', 'chunked']];
    request.body = chunked(dice, request.body);
  }
  return request;
}

/** Two ways to say how long the body is, and a paid call in what only one of them takes for a request of its own. */
function smuggling(dice: Dice, mark: string): Request {
  const request = plainRequest(dice, mark);
  request.method = dice.one(['POST', 'POST', 'GET']);
  const paid = JSON.stringify({ prompt: mark });
  const hidden = `POST /v1/images/generations HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${fuzzKey}\r\ncontent-type: application/json\r\ncontent-length: ${paid.length}\r\n\r\n${paid}`;
  const body = dice.one([`0\r\n\r\n${hidden}`, `1\r\nx\r\n0\r\n\r\n${hidden}`, hidden]);
  const length: Header = ['content-length', dice.one([String(body.length), '0', '4', '5', ...lengths])];
  const encoding: Header = [
    dice.one([
      'transfer-encoding',
      'Transfer-Encoding',
      'transfer-encoding ',
      ' transfer-encoding',
      'transfer_encoding',
    ]),
    dice.one(encodings),
  ];
  const others = request.headers.filter(([name]) => name !== 'content-length' && name !== 'authorization');
  const pair = dice.chance(0.5) ? [length, encoding] : [encoding, length];
  request.headers = [
    ...others,
    ...pair,
    ...(dice.chance(0.3) ? [['transfer-encoding', dice.one(encodings)] as const] : []),
  ];
  request.body = body;
  return request;
}

/** Valid requests one behind the other: as many responses are owed. */
function pipeline(dice: Dice): RawInput {
  const requests = Array.from({ length: dice.chance(0.05) ? 40 : 2 + dice.below(5) }, () => {
    const body = dice.one(['{', '{}', 'null', '{"prompt":"a","n":11}']);
    const key: Header = ['authorization', `Bearer ${fuzzKey}`];
    const common = { version: 'HTTP/1.1', lineEnd: '\r\n' };
    if (dice.chance(0.5)) {
      const url = dice.one(['/v1/models', '/healthz', '/', '/readyz', '/v1/models/image', '/nothing']);
      return { ...common, method: 'GET', target: url, headers: [['host', 'g'], key] satisfies Header[], body: '' };
    }
    const headers: Header[] = [['host', 'g'], key, ['content-type', 'application/json']];
    headers.push(['content-length', String(body.length)]);
    return { ...common, method: 'POST', target: '/v1/images/generations', headers, body };
  });
  return { kind: 'pipeline', bytes: Buffer.concat(requests.map(write)), owed: requests.length };
}

const disposition = [
  'form-data; name="prompt"',
  'form-data; name="image"; filename="a.png"',
  'form-data',
  '',
  'form-data; name="__proto__"',
  'form-data; name="n"',
  'form-data; name="image[999999999999]"; filename=""',
  'attachment; name="mask"',
  'form-data; name="\0"',
  `form-data; name="${'n'.repeat(5000)}"`,
  'form-data; name="model"',
  "form-data; name*=utf-8''%ff",
  'form-data; name="toString"',
];

function multipart(dice: Dice, mark: string): Request {
  const boundary = dice.one(['x', 'x', 'x', '-', '--', 'a b', 'x'.repeat(70), 'x'.repeat(201), "'()+_,-./:=?"]);
  const contents = [mark, '', '\x89PNG\r\n\x1a\n', '\0'.repeat(50), `--${boundary}`, 'null', '1', '{"a":1}', 'nobody'];
  const part = () => {
    const type = dice.chance(0.3)
      ? `\r\ncontent-type: ${dice.one(['application/json', 'image/png', '', 'a/b; c='])}`
      : '';
    const gap = dice.one(['\r\n\r\n', '\r\n\r\n', '\r\n\r\n', '\r\n', '\n\n', '']);
    return `${dice.one(['--', '--', '--', '-', ''])}${boundary}\r\ncontent-disposition: ${dice.one(disposition)}${type}${gap}${dice.one(contents)}\r\n`;
  };
  const many = dice.chance(0.03) ? 60 : dice.below(6);
  const body = `${Array.from({ length: many }, part).join('')}${dice.one([`--${boundary}--\r\n`, `--${boundary}--`, `--${boundary}`, ''])}`;
  const headers: Header[] = [
    ['host', 'gateway'],
    ['authorization', `Bearer ${fuzzKey}`],
    ['content-type', `multipart/form-data; boundary=${dice.chance(0.3) ? `"${boundary}"` : boundary}`],
    ['content-length', String(body.length + (dice.chance(0.1) ? dice.below(20) - 10 : 0))],
  ];
  return {
    method: 'POST',
    target: `${dice.one(roots)}/images/edits`,
    version: 'HTTP/1.1',
    headers,
    body,
    lineEnd: '\r\n',
  };
}

/** Bits, pieces and lengths of something valid, changed anywhere. */
function damaged(dice: Dice, bytes: Buffer): Buffer {
  let text = bytes;
  for (let times = 1 + dice.below(4); times > 0; times -= 1) {
    const at = dice.below(text.length + 1);
    const [head, tail] = [text.subarray(0, at), text.subarray(at)];
    const way = dice.below(5);
    if (way === 0) text = Buffer.concat([head, dice.bytes(1 + dice.below(4)), tail]);
    if (way === 1) text = Buffer.concat([head, tail.subarray(1 + dice.below(8))]);
    if (way === 2) text = Buffer.concat([head, dice.bytes(1), tail.subarray(1)]);
    if (way === 3) text = Buffer.concat([head, tail.subarray(0, 20), tail]);
    if (way === 4)
      text = Buffer.concat([
        head,
        Buffer.from(dice.one(['\r\n', '\n', '\0', ' ', ':', '\r\n\r\n', '%', '\xff'])),
        tail,
      ]);
  }
  return text;
}

function garbage(dice: Dice): Buffer {
  return dice.one([
    () => dice.bytes(1 + dice.below(300)),
    () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    () => Buffer.concat([Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'latin1'), dice.bytes(100)]),
    () => Buffer.from('\r\n'.repeat(dice.below(2000))),
    () => Buffer.from(`${' '.repeat(dice.below(3000))}GET / HTTP/1.1\r\n\r\n`),
    () => Buffer.from('SSH-2.0-OpenSSH_9.0\r\n'),
    () => Buffer.alloc(1 + dice.below(20_000), dice.below(256)),
    () => Buffer.from('\x05\x01\x00'),
  ])();
}

/** The input with this number: by the grammar of HTTP, wrong in one of many ways. `mark` stands in prompts. */
export function rawInput(dice: Dice, mark: string): RawInput {
  const kinds: [string, () => Buffer | RawInput][] = [
    ['request line', () => write(requestLine(dice, mark))],
    ['headers', () => write(headerBlock(dice, mark))],
    ['framing', () => write(framing(dice, mark))],
    ['smuggling', () => write(smuggling(dice, mark))],
    ['multipart', () => write(multipart(dice, mark))],
    ['pipeline', () => pipeline(dice)],
    ['truncation', () => truncated(dice, write(plainRequest(dice, mark)))],
    ['damage', () => damaged(dice, write(dice.chance(0.5) ? plainRequest(dice, mark) : multipart(dice, mark)))],
    ['garbage', () => garbage(dice)],
  ];
  const [kind, make] = dice.one(kinds);
  const made = make();
  return Buffer.isBuffer(made) ? { kind, bytes: made } : made;
}

function truncated(dice: Dice, bytes: Buffer): Buffer {
  return bytes.subarray(0, dice.below(bytes.length));
}
