import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readlink, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { drain } from '../../src/http/lifecycle.ts';
import {
  authorization,
  dataUrl,
  type EditsRig,
  editForm,
  editModels,
  editsPath,
  expectError,
  expectHarmless,
  expectNothingLeft,
  file,
  json,
  openFiles,
  overlay,
  padded,
  pngImage,
  post,
  postJson,
  startEdits,
  temporaryDirectory,
} from '../end-to-end/edits.ts';
import { startProgram } from '../end-to-end/program.ts';
import { openSocket, requestLines, startUpstream, tinyPng } from '../end-to-end/rig.ts';
import { serveRaw } from '../helpers/loopback-server.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';

const patience = { timeout: 60_000 };
const megabyte = 1024 * 1024;
const boundary = 'form-of-a-test';

/** A request's head for a plain socket; the form's type unless `headers` say otherwise. */
function head(headers: readonly string[] = []): string {
  const type = headers.some((line) => line.startsWith('content-type'))
    ? []
    : [`content-type: ${formHeaders['content-type']}`];
  const lines = [`POST ${editsPath} HTTP/1.1`, 'host: gateway', `authorization: ${authorization.authorization}`];
  return `${[...lines, ...type, ...headers].join('\r\n')}\r\n\r\n`;
}

/** The head of a file's part. */
function partHead(name: string): string {
  return `--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="a.png"\r\n\r\n`;
}

/** Everything that comes back until the server closes the connection, or `isOver` says that it is enough. */
async function responseOn(socket: Socket, isOver: (text: string) => boolean = () => false): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.resume();
  await expect.poll(() => socket.destroyed || socket.readableEnded || isOver(text), patience).toBe(true);
  return text;
}

/** Writes as fast as the other side reads, until it has written enough or the connection ends. */
async function writeOn(socket: Socket, piece: Buffer, times: number): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (let written = 0; written < times && socket.writable; written += 1) {
    if (!socket.write(piece)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
  }
}

function chunked(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

const parts = (count: number, part: (index: number) => string) =>
  Buffer.from(`${Array.from({ length: count }, (_, index) => part(index)).join('')}--${boundary}--\r\n`);
const field = (name: string, text = 'x') =>
  `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${text}\r\n`;

describe('a form that is refused', () => {
  const long = (bytes: number) => padded(Buffer.from(tinyPng, 'base64'), bytes);

  test.each<[string, () => Buffer | Promise<Buffer>, number, string, string | null]>([
    ['of 10^5 fields', () => parts(100_000, (index) => field(`f${index}`)), 413, 'request_too_large', null],
    ['of 33 fields', () => parts(33, (index) => field(`f${index}`)), 413, 'request_too_large', null],
    [
      'of 10^5 parts without a name',
      () => parts(100_000, () => `--${boundary}\r\n\r\nx\r\n`),
      413,
      'request_too_large',
      null,
    ],
    ['of 10^5 empty parts', () => parts(100_000, () => `--${boundary}\r\n`), 413, 'request_too_large', null],
    [
      'of 10^5 files',
      async () => {
        const tiny = Buffer.from(tinyPng, 'base64').toString('latin1');
        return parts(2_000, () => `${partHead('image')}${tiny}\r\n`);
      },
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with 17 images',
      async () =>
        editForm(await Promise.all(Array.from({ length: 17 }, async () => file('image[]', await pngImage())))),
      400,
      'invalid_value',
      'image',
    ],
    [
      'with two masks',
      async () =>
        editForm([file('image', await pngImage()), file('mask', await overlay()), file('mask', await overlay())]),
      400,
      'invalid_value',
      'mask',
    ],
    [
      'with two markups',
      async () =>
        editForm([file('image', await pngImage()), file('markup', await overlay()), file('markup[]', await overlay())]),
      400,
      'invalid_value',
      'markup',
    ],
    [
      'with model twice',
      async () =>
        writeForm([
          ...fields({ model: 'image' }),
          ...fields({ model: 'image' }),
          ...fields({ prompt: 'a' }),
          file('image', await pngImage()),
        ]),
      400,
      'invalid_value',
      'model',
    ],
    [
      'with a file of another name',
      async () => editForm([file('image', await pngImage()), file('photo', await pngImage())]),
      400,
      'unknown_parameter',
      'photo',
    ],
    [
      'with a file of a hostile name',
      async () => editForm([file('image', await pngImage()), file('a b\u0007c', await pngImage())]),
      400,
      'unknown_parameter',
      null,
    ],
    [
      'with a field of a hostile name',
      async () => editForm([file('image', await pngImage())], { 'a b\u0007c': 'x' }),
      400,
      'invalid_value',
      null,
    ],
    [
      'with a field of a very long name',
      async () => editForm([file('image', await pngImage())], { ['n'.repeat(10_000)]: 'x' }),
      400,
      'invalid_value',
      null,
    ],
    [
      'with a long field of a very long name',
      async () => editForm([file('image', await pngImage())], { ['n'.repeat(10_000)]: 'x'.repeat(200_000) }),
      400,
      'invalid_value',
      null,
    ],
    [
      'with a field __proto__',
      async () => editForm([file('image', await pngImage())], { ['__proto__']: 'x' }),
      400,
      'invalid_request',
      null,
    ],
    [
      'with a field constructor',
      async () => editForm([file('image', await pngImage())], { constructor: 'x' }),
      400,
      'invalid_request',
      null,
    ],
    [
      'with a file __proto__',
      async () => editForm([file('__proto__', await pngImage()), file('image', await pngImage())]),
      400,
      'invalid_request',
      null,
    ],
    [
      'with a prompt of 200,000 bytes',
      async () => editForm([file('image', await pngImage())], { prompt: 'x'.repeat(200_000) }),
      400,
      'invalid_value',
      'prompt',
    ],
    ['without an image', () => editForm([]), 400, 'missing_required_parameter', 'image'],
    ['without anything', () => Buffer.from(`--${boundary}--\r\n`), 400, 'missing_required_parameter', 'image'],
    ['of no bytes', () => Buffer.alloc(0), 400, 'missing_required_parameter', 'image'],
    [
      'without a prompt',
      async () => writeForm([file('image', await pngImage())]),
      400,
      'missing_required_parameter',
      'prompt',
    ],
    [
      'whose prompt is null',
      async () => editForm([file('image', await pngImage())], { prompt: 'null' }),
      400,
      'missing_required_parameter',
      'prompt',
    ],
    [
      'whose image is a text',
      () => editForm([], { image: 'https://example.com/a.png' }),
      400,
      'invalid_image_file',
      'image',
    ],
    ['with an empty file', () => editForm([file('image', Buffer.alloc(0))]), 400, 'invalid_image_file', 'image'],
    [
      'with a PNG that is none',
      () => editForm([file('image[0]', Buffer.from('<svg/>'), 'a.png', 'image/png')]),
      400,
      'invalid_image_file',
      'image[0]',
    ],
    [
      'with a PNG of its signature only',
      async () => editForm([file('image', (await pngImage()).subarray(0, 8))]),
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with a TIFF',
      async () =>
        editForm([
          file(
            'image',
            await sharp(await pngImage())
              .tiff()
              .toBuffer(),
          ),
        ]),
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with a JPEG cut in its header',
      async () =>
        editForm([
          file(
            'image',
            (
              await sharp(await pngImage())
                .jpeg()
                .toBuffer()
            ).subarray(0, 100),
          ),
        ]),
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with a PNG of 30,000 x 30,000 pixels',
      async () => editForm([file('image', resized(await pngImage(), 30_000))]),
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with a PNG of 2^31 x 2^31 pixels',
      async () => editForm([file('image', resized(await pngImage(), 0x7fffffff))]),
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with a PNG of no pixels',
      async () => editForm([file('image', resized(await pngImage(), 0))]),
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with a file of 50 MB and a byte',
      () => editForm([file('image[]', long(50 * megabyte + 1))]),
      413,
      'request_too_large',
      'image[]',
    ],
    [
      'with a file of 60 MB before others',
      async () => editForm([file('image[]', long(60 * megabyte)), file('image[]', await pngImage())]),
      413,
      'request_too_large',
      'image[]',
    ],
    [
      'with a form in it',
      () =>
        Buffer.from(
          `--${boundary}\r\ncontent-disposition: form-data; name="image"\r\ncontent-type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\ncontent-disposition: file; filename="a.png"\r\n\r\nx\r\n--inner--\r\n\r\n--${boundary}--\r\n`,
        ),
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with a form of another name in it',
      () =>
        Buffer.from(
          `--${boundary}\r\ncontent-disposition: form-data; name="images"; filename="x"\r\ncontent-type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\nx\r\n--inner--\r\n\r\n--${boundary}--\r\n`,
        ),
      400,
      'unknown_parameter',
      'images',
    ],
    [
      'with 10^6 headers in a part',
      () =>
        Buffer.from(
          `--${boundary}\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n${'a: b\r\n'.repeat(1_000_000)}\r\nx\r\n--${boundary}--\r\n`,
        ),
      400,
      'invalid_image_file',
      'image',
    ],
    [
      'with a header of 10 MB in a part',
      () =>
        Buffer.from(
          `--${boundary}\r\na: ${'b'.repeat(10_000_000)}\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\nx\r\n--${boundary}--\r\n`,
        ),
      400,
      'missing_required_parameter',
      'image',
    ],
    [
      'without its last boundary',
      async () => editForm([file('image', await pngImage())]).subarray(0, -(boundary.length + 8)),
      400,
      'invalid_request',
      null,
    ],
    [
      'that ends amid a file',
      async () => editForm([file('image', padded(await pngImage(), 2_000_000))]).subarray(0, 1_500_000),
      400,
      'invalid_request',
      null,
    ],
    [
      'that ends amid a part’s head',
      async () => Buffer.from(editForm([]).toString().replace(`--${boundary}--\r\n`, partHead('image').slice(0, -20))),
      400,
      'invalid_request',
      null,
    ],
    ['that is JSON', () => Buffer.from('{"prompt":"a"}'), 400, 'invalid_request', null],
    [
      'of another boundary',
      async () =>
        Buffer.from(
          (await editForm([file('image', await pngImage())])).toString('latin1').replaceAll(boundary, 'another'),
          'latin1',
        ),
      400,
      'invalid_request',
      null,
    ],
  ])('%s', async (_, form, status, code, param) => {
    const rig = await startEdits();
    expectError(await post(rig.url, await form()), status, code, param);
    await expectHarmless(rig);
  });

  test.each([
    ['no boundary', 'multipart/form-data'],
    ['an empty boundary', 'multipart/form-data; boundary='],
    ['an empty boundary in quotes', 'multipart/form-data; boundary=""'],
    ['a boundary of 201 characters', `multipart/form-data; boundary=${'b'.repeat(201)}`],
    ['a boundary of 10,000 characters', `multipart/form-data; boundary=${'b'.repeat(10_000)}`],
    ['a boundary in an open quote', 'multipart/form-data; boundary="abc'],
  ])('with %s', async (_, type) => {
    const rig = await startEdits();
    expectError(
      await post(rig.url, editForm([file('image', await pngImage())]), { 'content-type': type }),
      400,
      'invalid_request',
    );
    await expectHarmless(rig);
  });

  test('with a boundary of 100 kB: the header alone is too long', async () => {
    const rig = await startEdits();
    const socket = openSocket(rig.url);
    socket.write(head([`content-type: multipart/form-data; boundary=${'b'.repeat(100_000)}`]));
    expect(await responseOn(socket)).toMatch(/^HTTP\/1\.1 431 /);
    await expectHarmless(rig);
  });

  test('a file of exactly 50 MB is not', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', padded(await pngImage(), 50 * megabyte))]);
    // Azure wants less than 50 MB: it is the simulator that says so.
    const response = await post(rig.url, form);
    expect(response.json().error).toMatchObject({ code: 'invalid_image_file', param: 'image' });
    expect(rig.simulator.ledger.counts()).toMatchObject({ requests: 1, billed: 0 });
    await expectNothingLeft(rig);
  });
});

/** The same PNG with another size in its header. */
function resized(png: Buffer, edge: number): Buffer {
  const copy = Buffer.from(png);
  copy.writeUInt32BE(edge, 16);
  copy.writeUInt32BE(edge, 20);
  return copy;
}

const smallLimit = { fileKeys: { limits: { uploadBytes: 1_000_000 } } };

test('a model that only the path names is looked up before the upload is read', async () => {
  const rig = await startEdits();
  for (const [name, status, code] of [
    ['nobody', 404, 'DeploymentNotFound'],
    ['dall-e-3', 400, 'unsupported_operation'],
  ] as const) {
    const socket = openSocket(rig.url);
    socket.write(
      head(['content-length: 100000000']).replace(editsPath, `/openai/deployments/${name}/images/edits?api-version=1`),
    );
    const response = await responseOn(socket, (text) => text.endsWith('}'));
    expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*"code":"${code}"`));
    socket.destroy();
  }
  await expectHarmless(rig);
});

test('a body that says itself that it is too long is not read', async () => {
  const rig = await startEdits(smallLimit);
  const socket = openSocket(rig.url);
  socket.write(head(['content-length: 100000000', 'expect: 100-continue']));
  const response = await responseOn(socket, (text) => text.endsWith('}'));
  expect(response).toMatch(
    /^HTTP\/1\.1 413 [\s\S]*is longer than \d+ bytes, the limit of this gateway \('limits\.uploadBytes'\)/,
  );
  socket.destroy();
  await expectHarmless(rig);
});

describe('a body that is longer than the limit', () => {
  const large = {
    form: () => editForm([file('image', padded(Buffer.from(tinyPng, 'base64'), 12 * megabyte))]),
    JSON: () =>
      Buffer.from(
        `{"prompt":"a","images":[{"image_url":"data:image/png;base64,${tinyPng.slice(0, 88)}${'AAAA'.repeat(3 * megabyte)}"}]}`,
      ),
  };
  const types = { form: [], JSON: ['content-type: application/json'] };

  describe.each(['form', 'JSON'] as const)('a %s', (kind) => {
    test.each([
      ['with a length', 'keep-alive'],
      ['with a length', 'close'],
      ['in chunks', 'keep-alive'],
      ['in chunks', 'close'],
    ])(
      '%s, connection: %s: a caller that writes everything before it reads gets the response',
      async (framing, connection) => {
        const rig = await startEdits(smallLimit);
        const body = large[kind]();
        const isChunked = framing === 'in chunks';
        const length = isChunked ? 'transfer-encoding: chunked' : `content-length: ${body.length}`;
        const socket = openSocket(rig.url);
        socket.pause();
        socket.write(head([...types[kind], length, `connection: ${connection}`]));
        const bytes = isChunked ? Buffer.concat([chunked(body), Buffer.from('0\r\n\r\n')]) : body;
        for (let at = 0; at < bytes.length; at += 65_536) {
          if (!socket.write(bytes.subarray(at, at + 65_536))) await once(socket, 'drain');
        }
        const text = await responseOn(socket, (response) => response.endsWith('}'));
        expect(text).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"request_too_large"}}$/);
        await expectHarmless(rig);
      },
    );

    test('sent with fetch, with node:http and with curl: each sees the response', async () => {
      const rig = await startEdits(smallLimit);
      const body = large[kind]();
      const headers = kind === 'form' ? formHeaders : json;
      expectError(await post(rig.url, body, headers), 413, 'request_too_large');
      expectError(await post(rig.url, new Blob([new Uint8Array(body)]).stream(), headers), 413, 'request_too_large');
      for (const agent of [http.globalAgent, false] as const) {
        for (const further of [{ 'content-length': body.length }, {}]) {
          const call = http.request(`${rig.url}${editsPath}`, {
            method: 'POST',
            agent,
            headers: { ...authorization, ...headers, ...further },
          });
          call.on('error', () => {});
          call.end(body);
          const [response] = (await once(call, 'response')) as [http.IncomingMessage];
          const text = Buffer.concat(await Array.fromAsync(response)).toString();
          expect([response.statusCode, JSON.parse(text).error.code]).toEqual([413, 'request_too_large']);
        }
      }
      for (const further of [[], ['transfer-encoding: chunked'], ['expect:'], ['connection: close', 'expect:']]) {
        const reply = await withCurl(rig.url, body, [...further, `content-type: ${headers['content-type']}`]);
        if (reply !== undefined) expect(reply).toMatch(/"code":"request_too_large".*413$/);
      }
      await expectHarmless(rig);
    });
  });

  test('that never ends is stopped', async () => {
    const rig = await startEdits({ fileKeys: { limits: { uploadBytes: 3_000_000 } } });
    const socket = openSocket(rig.url);
    socket.write(head(['transfer-encoding: chunked']));
    socket.write(chunked(Buffer.from(`${partHead('image')}`)));
    const response = responseOn(socket);
    await writeOn(socket, chunked(Buffer.alloc(65_536, 7)), 100_000);
    expect(await response).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"request_too_large"/);
    await expectHarmless(rig);
  });

  test('that never ends in a field is stopped, too', async () => {
    const rig = await startEdits({ fileKeys: { limits: { uploadBytes: 3_000_000 } } });
    const socket = openSocket(rig.url);
    socket.write(head(['transfer-encoding: chunked']));
    socket.write(chunked(Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="prompt"\r\n\r\n`)));
    const response = responseOn(socket);
    await writeOn(socket, chunked(Buffer.alloc(65_536, 'x')), 100_000);
    expect(await response).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"request_too_large"/);
    await expectHarmless(rig);
  });
});

/** What curl prints, with the status behind it; `undefined` where there is no curl. */
async function withCurl(url: string, body: Buffer, headers: readonly string[]): Promise<string | undefined> {
  const path = join(await temporaryDirectory(), 'body');
  await writeFile(path, body);
  const lines = [...headers, `authorization: ${authorization.authorization}`].flatMap((line) => ['-H', line]);
  const options = ['-s', '-S', '--max-time', '20', '-w', '%{http_code}', ...lines, '--data-binary', `@${path}`];
  try {
    return (await promisify(execFile)('curl', [...options, `${url}${editsPath}`])).stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

describe('a caller without a good key', () => {
  const badKey = { authorization: 'Bearer wrong' };

  test('sees the 401 behind a large body, which is not stored', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', padded(Buffer.from(tinyPng, 'base64'), 12 * megabyte))]);
    const response = await post(rig.url, form, { ...formHeaders, ...badKey });
    expectError(response, 401, 'invalid_api_key');
    const socket = openSocket(rig.url);
    socket.pause();
    socket.write(
      head([`content-length: ${form.length}`, 'connection: close']).replace(
        authorization.authorization,
        'Bearer wrong',
      ),
    );
    for (let at = 0; at < form.length; at += 65_536) {
      if (!socket.write(form.subarray(at, at + 65_536))) await once(socket, 'drain');
      if (at % megabyte === 0) expect(await openFiles(rig.uploads)).toEqual([]);
    }
    expect(await responseOn(socket)).toMatch(/^HTTP\/1\.1 401 [\s\S]*"code":"invalid_api_key"}}$/);
    await expectHarmless(rig);
  });

  test('does not get to send its body', async () => {
    const rig = await startEdits();
    const socket = openSocket(rig.url);
    socket.write(
      head(['content-length: 9000000', 'expect: 100-continue']).replace(authorization.authorization, 'Bearer wrong'),
    );
    const text = await responseOn(socket, (response) => response.endsWith('}'));
    expect(text).toMatch(/^HTTP\/1\.1 401 [\s\S]*"code":"invalid_api_key"}}$/);
    socket.destroy();
    await expectHarmless(rig);
  });

  test('one with a good key is', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', await pngImage())]);
    const socket = openSocket(rig.url);
    socket.write(head([`content-length: ${form.length}`, 'expect: 100-continue', 'connection: close']));
    const response = responseOn(socket);
    await once(socket, 'data');
    socket.write(form);
    expect(await response).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    await expectNothingLeft(rig);
  });

  test('curl, which waits for that word, gets its image', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', padded(await pngImage(), 2 * megabyte))]);
    const response = await withCurl(rig.url, form, [
      'expect: 100-continue',
      `content-type: ${formHeaders['content-type']}`,
    ]);
    if (response !== undefined) expect(response).toMatch(/"b64_json":[\s\S]*200$/);
    await expectNothingLeft(rig);
  });
});

const farewells: [string, (socket: Socket) => void][] = [
  ['closes its connection', (socket) => void socket.destroy()],
  ['resets its connection', (socket) => void socket.resetAndDestroy()],
  ['half-closes its connection', (socket) => void socket.end()],
];

/** A log line of a client that disconnected: nothing went wrong here. */
async function expectDisconnected(rig: EditsRig, facts: Record<string, unknown> = {}): Promise<void> {
  await expect.poll(() => requestLines(rig), patience).toHaveLength(1);
  expect(requestLines(rig)[0]).toMatchObject({ end: 'disconnected', status: 499, level: 30, ...facts });
}

describe('a client that disconnects', () => {
  const beginnings: [string, string, () => Buffer][] = [
    ['amid a small file', '', () => Buffer.from(`${partHead('image')}abc`)],
    ['amid a large file', '', () => Buffer.concat([Buffer.from(partHead('image')), Buffer.alloc(2 * megabyte, 7)])],
    ['amid a part’s head', '', () => Buffer.from(partHead('image').slice(0, 30))],
    ['amid a field', '', () => Buffer.from(field('prompt').slice(0, -3))],
    [
      'amid a JSON image',
      'json',
      () => Buffer.from(`{"images":[{"image_url":"data:image/png;base64,${'AAAA'.repeat(megabyte / 2)}`),
    ],
    ['amid JSON', 'json', () => Buffer.from('{"prompt":"a')],
    ['before the first byte', '', () => Buffer.alloc(0)],
  ];
  const isStored = (begun: Buffer) => begun.length > megabyte;

  describe.each(beginnings)('%s', (_, kind, begin) => {
    test.each(farewells)('%s', async (_, disconnect) => {
      const rig = await startEdits();
      const socket = openSocket(rig.url);
      const begun = begin();
      socket.write(head([...(kind === 'json' ? ['content-type: application/json'] : []), 'content-length: 90000000']));
      socket.write(begun);
      await expect.poll(() => rig.app.server.server.connections ?? 1, patience).toBeGreaterThan(0);
      if (isStored(begun)) await expect.poll(() => openFiles(rig.uploads), patience).toHaveLength(1);
      else await expect.poll(() => socket.bytesWritten - socket.writableLength, patience).toBeGreaterThan(100);
      expect(await readdir(rig.uploads)).toEqual([]);
      disconnect(socket);
      await expectDisconnected(rig);
      await expectHarmless(rig);
    });
  });

  test.each(farewells)('while the upstream works: it %s', async (_, disconnect) => {
    const rig = await startEdits();
    const form = editForm([file('image', padded(await pngImage(), 3 * megabyte))], { prompt: 'simulate:hang' });
    const socket = openSocket(rig.url);
    socket.write(head([`content-length: ${form.length}`]));
    socket.write(form);
    await expect.poll(() => rig.simulator.ledger.counts().billed, patience).toBe(1);
    expect(await openFiles(rig.uploads)).toHaveLength(1);
    disconnect(socket);
    await expectDisconnected(rig, { sent: true });
    await expectNothingLeft(rig);
  });

  test('while the upstream works, behind a form with many bytes after it', async () => {
    const rig = await startEdits();
    const form = Buffer.concat([
      editForm([file('image', await pngImage())], { prompt: 'simulate:hang' }),
      Buffer.alloc(4 * megabyte),
    ]);
    const socket = openSocket(rig.url);
    socket.write(head([`content-length: ${form.length}`]));
    socket.write(form);
    await expect.poll(() => rig.simulator.ledger.counts().billed, patience).toBe(1);
    socket.destroy();
    await expectDisconnected(rig, { sent: true });
    await expectNothingLeft(rig);
  });

  test('amid its response', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', padded(await pngImage(), 3 * megabyte))], {
      prompt: 'simulate:slow-body-60000',
    });
    const socket = openSocket(rig.url);
    socket.write(head([`content-length: ${form.length}`]));
    socket.write(form);
    await once(socket, 'data');
    socket.destroy();
    await expectDisconnected(rig, { sent: true });
    await expectNothingLeft(rig);
  });

  test('while its form is sent on', async () => {
    // This upstream reads nothing, so that the form stays on its way.
    const arrived = Promise.withResolvers<void>();
    const upstream = http.createServer(() => arrived.resolve());
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as { port: number };
    try {
      const rig = await startEdits({ upstream: `http://127.0.0.1:${port}` });
      const form = editForm([file('image', padded(await pngImage(), 30 * megabyte))]);
      const socket = openSocket(rig.url);
      socket.write(head([`content-length: ${form.length}`]));
      socket.write(form);
      await arrived.promise;
      socket.destroy();
      await expectDisconnected(rig, { sent: true });
      await expectNothingLeft(rig);
    } finally {
      upstream.closeAllConnections();
      upstream.close();
    }
  });
});

describe('a body that comes too slowly', () => {
  test.each<[string, string[], string]>([
    ['a form', [], partHead('image')],
    ['JSON', ['content-type: application/json'], '{"images":[{"image_url":"data:image/png;base64,AAAA'],
    ['nothing at all', [], ''],
  ])('%s: refused when its time is over, and what comes later is thrown away', async (_, headers, begun) => {
    const rig = await startEdits({ uploadGraceMs: 300 });
    const socket = openSocket(rig.url);
    socket.write(head([...headers, 'transfer-encoding: chunked']));
    if (begun !== '') socket.write(chunked(Buffer.from(begun)));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    await expect.poll(() => text, patience).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"}}$/);
    socket.write(chunked(Buffer.alloc(2 * megabyte, 'A')));
    socket.write('0\r\n\r\n');
    // The body has ended, so the connection lives on.
    text = '';
    const next = editForm([file('image', await pngImage())]);
    socket.write(head([`content-length: ${next.length}`, 'connection: close']));
    socket.write(next);
    await expect.poll(() => text, patience).toMatch(/^HTTP\/1\.1 200 /);
    await expectNothingLeft(rig);
    expect(rig.simulator.ledger.counts().billed).toBe(1);
  });
});

describe('a JSON body whose end comes late', () => {
  const body = async (prompt: string) =>
    Buffer.from(JSON.stringify({ prompt, images: [{ image_url: dataUrl(await pngImage()) }] }));

  test.each([
    ['none', 200],
    ['filter-policy', 400],
    ['500', 502],
  ])('nothing is bought before that: upstream %s, %i, and the connection lives on', async (scenario, status) => {
    const rig = await startEdits();
    const socket = openSocket(rig.url);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.write(head(['content-type: application/json', 'transfer-encoding: chunked']));
    socket.write(chunked(await body(`simulate:${scenario}`)));
    await expect.poll(() => openFiles(rig.uploads), patience).toEqual([]);
    expect(rig.simulator.ledger.received).toBe(0);
    socket.write(`${chunked(Buffer.from(' \n '))}0\r\n\r\n`);
    await expect
      .poll(() => text, patience)
      .toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*}(?:\\r\\n0\\r\\n\\r\\n)?$`));
    text = '';
    const next = await body('a hat');
    socket.write(head(['content-type: application/json', `content-length: ${next.length}`, 'connection: close']));
    socket.write(next);
    await expect.poll(() => text, patience).toMatch(/^HTTP\/1\.1 200 /);
    await expectNothingLeft(rig);
  });

  test('followed by more than blanks: it is not JSON, and nothing is bought', async () => {
    const rig = await startEdits();
    const response = await post(rig.url, Buffer.concat([await body('a hat'), Buffer.from('}}garbage')]), {
      'content-type': 'application/json',
    });
    expectError(response, 400, 'invalid_json');
    await expectHarmless(rig);
  });

  test('followed by blanks without end: 413, and it is not read on', async () => {
    const rig = await startEdits(smallLimit);
    const socket = openSocket(rig.url);
    socket.write(head(['content-type: application/json', 'transfer-encoding: chunked']));
    socket.write(chunked(await body('a hat')));
    const response = responseOn(socket);
    await writeOn(socket, chunked(Buffer.alloc(65_536, ' ')), 1_000);
    expect(await response).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"request_too_large"/);
    await expectHarmless(rig);
  });

  test('with parameters without number: refused at the first that is too many', async () => {
    const rig = await startEdits();
    const many = Array.from({ length: 100_000 }, (_, index) => `"a${index}":0`).join();
    const response = await post(rig.url, Buffer.from(`{"prompt":"x",${many}}`), { 'content-type': 'application/json' });
    expectError(response, 413, 'request_too_large');
    const long = `"a":"${'x'.repeat(200_000)}","b":"${'x'.repeat(200_000)}"`;
    expectError(
      await post(rig.url, Buffer.from(`{"prompt":"x",${long}}`), { 'content-type': 'application/json' }),
      413,
      'request_too_large',
    );
    await expectHarmless(rig);
  });

  test.each([
    ['invalid JSON', '{"prompt": no,', 'invalid_json'],
    ['an image that is none', '{"images":[{"image_url":"data:image/png;base64,####', 'invalid_image_file'],
    ['a list', '["a",', 'invalid_json'],
  ])('%s: refused at once, however much follows', async (_, beginning, code) => {
    const rig = await startEdits();
    const socket = openSocket(rig.url);
    socket.pause();
    socket.write(head(['content-type: application/json', 'transfer-encoding: chunked', 'connection: close']));
    socket.write(chunked(Buffer.from(beginning)));
    await writeOn(socket, chunked(Buffer.alloc(65_536, ' ')), 180);
    socket.write(`${chunked(Buffer.from('7]'))}0\r\n\r\n`);
    if (code === 'invalid_json' && beginning.startsWith('[')) code = 'invalid_value';
    expect(await responseOn(socket)).toMatch(new RegExp(`^HTTP/1\\.1 400 [\\s\\S]*"code":"${code}"}}$`));
    await expectHarmless(rig);
  });
});

describe('temporary files', () => {
  const running = async (rig: EditsRig, bytes: number, prompt: string) => {
    const form = editForm([file('image', padded(await pngImage(), bytes))], { prompt });
    const response = post(rig.url, form);
    await expect.poll(() => rig.simulator.ledger.counts().billed, patience).toBe(1);
    const files = await openFiles(rig.uploads);
    return { response, files };
  };

  test('there are none for uploads below 1 MiB in total', async () => {
    const rig = await startEdits();
    const { response, files } = await running(rig, megabyte - 1, 'simulate:slow-300');
    expect(files).toEqual([]);
    expect((await response).status).toBe(200);
  });

  test('there is one, without a name, for anything longer; it is gone with the response', async () => {
    const rig = await startEdits();
    const { response, files } = await running(rig, megabyte + 1, 'simulate:slow-300');
    expect(files).toEqual([expect.stringMatching(/azure-image-gateway-upload-[\w-]{24} \(deleted\)$/)]);
    expect(await readdir(rig.uploads)).toEqual([]);
    expect((await response).status).toBe(200);
    await expectNothingLeft(rig);
  });

  test('several small files that are long together share one', async () => {
    const rig = await startEdits();
    const image = padded(await pngImage(), 400_000);
    const form = editForm(
      [1, 2, 3].map(() => file('image[]', image)),
      { prompt: 'simulate:slow-300' },
    );
    const response = post(rig.url, form);
    await expect.poll(() => rig.simulator.ledger.counts().billed, patience).toBe(1);
    expect(await openFiles(rig.uploads)).toHaveLength(1);
    expect((await response).status).toBe(200);
    await expectNothingLeft(rig);
  });

  test.each([
    ['filter-policy', 400],
    ['429-none', 429],
    ['500', 502],
    ['503', 502],
    ['reset-before-headers', 502],
    ['html-200', 502],
    ['unsupported-content-type', 502],
  ])('is gone after the upstream’s %s', async (scenario, status) => {
    const rig = await startEdits();
    const form = editForm([file('image', padded(await pngImage(), 2 * megabyte))], { prompt: `simulate:${scenario}` });
    expect([(await post(rig.url, form)).status, scenario]).toEqual([status, scenario]);
    await expectNothingLeft(rig);
  });

  test('is gone after an upstream that cannot be reached, and one that cannot be served', async () => {
    const rig = await startEdits({ upstream: 'http://127.0.0.1:9' });
    const form = (further: Record<string, string>) =>
      pngImage().then((png) => editForm([file('image', padded(png, 2 * megabyte))], further));
    expectError(await post(rig.url, await form({})), 503, 'upstream_unavailable');
    expectError(await post(rig.url, await form({ size: '1x1' })), 400, 'invalid_value', 'size');
    expectError(await post(rig.url, await form({ model: 'nobody' })), 404, 'model_not_found', 'model');
    await expectNothingLeft(rig);
  });

  test('is gone after a stream that breaks', async () => {
    const rig = await startEdits();
    const form = editForm([file('image', padded(await pngImage(), 2 * megabyte))], {
      prompt: 'simulate:stream-reset',
      stream: 'true',
      partial_images: '1',
    });
    expect((await post(rig.url, form)).text).toContain('event: error');
    await expectNothingLeft(rig);
  });

  test('are gone when the gateway cancels everything to end', async () => {
    const rig = await startEdits();
    const { response, files } = await running(rig, 2 * megabyte, 'simulate:hang');
    expect(files).toHaveLength(1);
    await drain(rig.app, { leadMs: 0, limitMs: 100 });
    expect((await response).status).toBe(502);
    await expectNothingLeft(rig);
  });

  test('more of them than the disk may hold are refused as overload, nothing is sent, and nothing stays', async () => {
    const rig = await startEdits({ uploadsBytes: 6 * megabyte });
    const long = padded(await pngImage(), 4 * megabyte);
    for (const response of [
      await post(rig.url, editForm([file('image', long)])),
      await postJson(rig.url, { prompt: 'a hat', images: [{ image_url: dataUrl(long) }] }),
    ]) {
      expectError(response, 503, 'overloaded');
      expect(response.headers.get('retry-after-ms')).toMatch(/^\d+$/);
      expect(response.headers.get('x-should-retry')).toBe(null);
    }
    expect(rig.app.gateway.admission.heldBytes).toBe(0);
    await expectHarmless(rig);
    // As much as may be there at once fits again and again.
    for (let round = 0; round < 4; round += 1) {
      const fitting = padded(await pngImage(), 2 * megabyte);
      expect((await post(rig.url, editForm([file('image', fitting)]))).status).toBe(200);
    }
    await expectNothingLeft(rig);
  });

  test('a directory that is gone is the gateway’s failure: 507, and nothing is sent', async () => {
    const rig = await startEdits();
    await rm(rig.uploads, { recursive: true });
    const response = await post(rig.url, editForm([file('image', padded(await pngImage(), 2 * megabyte))]));
    expect([response.status, response.json().error.code]).toEqual([507, 'storage_failed']);
    expect(rig.simulator.ledger.requests).toEqual([]);
    expect((await post(rig.url, editForm([file('image', await pngImage())]))).status).toBe(200);
  });
});

describe('a gateway that is killed', () => {
  /** Files below a directory that another process has open. */
  const openFilesOf = async (pid: number | undefined, directory: string) => {
    const fds = await readdir(`/proc/${pid}/fd`);
    const links = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
    return links.filter((link) => link.startsWith(directory));
  };
  const key = { authorization: 'Bearer program-key' };

  test.each(['amid an upload', 'amid the upstream’s call'])('%s leaves nothing behind', async (when) => {
    const upstream = await startUpstream((request, response) => {
      if (!isKilled) return;
      response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] }));
      void request;
    });
    let isKilled = false;
    const dataDir = await temporaryDirectory();
    const uploads = join(dataDir, 'uploads');
    const start = { models: editModels(upstream.origin), env: { DATA_DIR: dataDir } };
    const first = await startProgram(start);
    const url = await first.listening();
    const form = editForm([file('image', padded(await pngImage(), 3 * megabyte))]);
    const socket = openSocket(url);
    socket.write(head([`content-length: ${form.length}`]).replace(authorization.authorization, key.authorization));
    socket.write(when === 'amid an upload' ? form.subarray(0, 2 * megabyte) : form);
    // A kill between opening and removing the name leaves the name to the sweep of the next start.
    const nameless = [expect.stringMatching(/ \(deleted\)$/)];
    await expect.poll(() => openFilesOf(first.child.pid, uploads), patience).toEqual(nameless);
    if (when !== 'amid an upload') await expect.poll(() => upstream.received, patience).toBe(1);
    first.child.kill('SIGKILL');
    await first.exited.catch(() => {});
    isKilled = true;
    expect(await readdir(uploads)).toEqual([]);
    const second = await startProgram(start);
    const again = await second.listening();
    const headers = { ...formHeaders, ...key };
    if (when !== 'amid an upload') {
      // Nobody knows what has become of the first call: the client's own retry must not buy again.
      const retry = await post(again, form, headers);
      expect([retry.status, retry.json().error.code]).toEqual([502, 'upstream_outcome_unknown']);
      expect(upstream.received).toBe(1);
    }
    const other = editForm([file('image', padded(await pngImage('navy'), 3 * megabyte))]);
    expect((await post(again, other, headers)).status).toBe(200);
    await expect.poll(() => openFilesOf(second.child.pid, uploads), patience).toEqual([]);
    expect(await readdir(uploads)).toEqual([]);
  });
});

describe('an upstream that responds before the whole form was sent', () => {
  const refusals: [number, Record<string, string>, number, string][] = [
    [401, {}, 502, 'upstream_auth_failed'],
    [413, {}, 413, 'request_too_large'],
    [429, { 'retry-after': '7' }, 429, 'rate_limit_exceeded'],
  ];
  const body = JSON.stringify({ error: { code: 'x', message: 'no' } });

  test.each(refusals)('%i, and reads on: the caller gets it', async (status, headers, expected, code) => {
    const upstream = await startEarly(status, headers, (socket) => void socket.resume());
    await expectEarly(upstream, expected, code);
  });

  // Its connection is reset with what it has not read, and the response may be lost with that.
  test.each(refusals)(
    '%i, and reads no more: the caller gets it, or an unknown outcome',
    async (status, headers, ...reported) => {
      const upstream = await startEarly(status, headers, (socket) => socket.destroySoon());
      const rig = await startEdits({ upstream });
      const response = await post(rig.url, editForm([file('image', padded(await pngImage(), 30 * megabyte))]));
      expect([reported, [502, 'upstream_outcome_unknown']]).toContainEqual([
        response.status,
        response.json().error.code,
      ]);
      await expectNothingLeft(rig);
    },
  );

  // Not a server of HTTP: Node's closes a connection that is not kept at its response's end, whatever is still to be read.
  async function startEarly(status: number, headers: Record<string, string>, goOn: (socket: Socket) => void) {
    const lines = Object.entries({ ...headers, 'content-type': 'application/json', 'content-length': body.length });
    const refusal = [`HTTP/1.1 ${status} Refused`, ...lines.map((line) => line.join(': ')), '', body].join('\r\n');
    const sockets: Socket[] = [];
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.pause();
        socket.end(refusal);
        goOn(socket);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function expectEarly(upstream: string, status: number, code: string) {
    const rig = await startEdits({ upstream });
    const response = await post(rig.url, editForm([file('image', padded(await pngImage(), 30 * megabyte))]));
    expect([response.status, response.json().error.code]).toEqual([status, code]);
    if (status === 429) expect(response.headers.get('retry-after')).toBe('7');
    await expectNothingLeft(rig);
  }
});

describe('links to images, where they are fetched', () => {
  test.each([
    'https://127.0.0.1/a.png',
    'https://localhost/a.png',
    'https://[::1]/a.png',
    'https://[::ffff:127.0.0.1]/a.png',
    'https://2130706433/a.png',
    'https://0x7f.1/a.png',
    'https://0/a.png',
    'https://10.0.0.1/a.png',
    'https://169.254.169.254/latest/meta-data',
    'https://192.168.1.1/a.png',
    'https://user@example.com/a.png',
    'https://127.0.0.1:PORT/a.png',
    'https://localhost:PORT/a.png',
    'https://',
    'https://a b/',
  ])('%s: refused, and nothing is dialled', async (link) => {
    let connections = 0;
    const port = await serveRaw(() => (connections += 1), { secure: true });
    const rig = await startEdits({ fileKeys: { imageUrls: 'download' } });
    // Attempts of the whole process; that of the test's own call of the gateway shows that they are seen.
    const attempts: unknown[] = [];
    const { connect } = net.Socket.prototype;
    const spy = vi.spyOn(net.Socket.prototype, 'connect').mockImplementation(function (this: Socket, ...to: unknown[]) {
      this.on('connectionAttempt', (_address, port) => attempts.push(port));
      return Reflect.apply(connect, this, to);
    } as typeof connect);
    try {
      const body = { prompt: 'a', images: [{ image_url: link.replace('PORT', String(port)) }] };
      expectError(await postJson(rig.url, body), 400, 'invalid_value', 'images[0].image_url');
      expect(attempts.filter((port) => port !== Number(new URL(rig.url).port))).toEqual([]);
    } finally {
      spy.mockRestore();
    }
    expect(connections).toBe(0);
    await expectHarmless(rig);
  });
});
