import { once } from 'node:events';
import { readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import sharp from 'sharp';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { openFiles } from './edits.ts';
import {
  exchange,
  generationsPath,
  modelsFile,
  openSocket,
  rawCall,
  requestLines,
  startRig,
  startUpstream,
  tinyPng,
} from './rig.ts';
import { startStore } from './store.ts';

const patience = { timeout: 60_000 };
const filesPath = '/v1/images/files';
const wanted = { prompt: 'a cat', response_format: 'url' };

/** A gateway that hosts, in front of the simulator, and the link of one image. */
async function startHosting(
  options: { lifetimeMs?: number; publicBaseUrl?: string; stallMs?: number } = {},
  body: object = wanted,
) {
  const { publicBaseUrl, stallMs, ...storeOptions } = options;
  const { store, directory } = await startStore(storeOptions);
  const rig = await startRig({
    store,
    ...(publicBaseUrl !== undefined && { publicBaseUrl }),
    ...(stallMs !== undefined && { times: { stallMs } }),
  });
  const response = await callGateway(rig.url, body);
  expect(response.status).toBe(200);
  const link = response.json().data[0]?.url ?? 'about:blank';
  return { rig, directory, response, link };
}

/** The lines that were logged about reading links. */
const fileLines = (rig: StartedGateway) => requestLines(rig).filter(({ method }) => method === 'GET');

/** Head and body of what a connection still brings until it ends. */
async function restOf(socket: Socket): Promise<string[]> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk)).on('end', () => socket.end());
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1').split('\r\n\r\n', 2);
}

/** The name of a link without its extension. */
function idOf(link: string): string {
  return (
    new URL(link).pathname
      .split('/')
      .at(-1)
      ?.replace(/\.\w+$/, '') ?? ''
  );
}

/** What lies in the store: whole images, and those that are arriving. */
async function filesIn(directory: string): Promise<{ images: string[]; arriving: string[] }> {
  const [images = [], arriving = []] = await Promise.all(
    ['images', 'arriving'].map((name) => readdir(join(directory, name))),
  );
  return { images, arriving };
}

describe('a link from gpt-image', () => {
  test('its file is the image that the upstream made, and needs no credentials', async () => {
    const { rig, link, response } = await startHosting({}, { ...wanted, size: '1536x1024' });
    expect(link).toMatch(new RegExp(`^${rig.url}${filesPath}/[\\w-]{24}\\.png$`));
    expect(Object.keys(response.json().data[0] ?? {})).toEqual(['url']);
    expect(response.json().usage).toMatchObject({ total_tokens: expect.any(Number) });
    expect(response.headers.get('x-gateway-adapted')).toBe('delivery=url');
    expect(rig.paidPosts().map(({ body }) => body)).toEqual([{ prompt: 'a cat', size: '1536x1024' }]);
    const file = await request(link);
    expect(file.statusCode).toBe(200);
    const bytes = Buffer.from(await file.body.arrayBuffer());
    const { width, height, format } = await sharp(bytes).metadata();
    expect([width, height, format]).toEqual([1536, 1024, 'png']);
    const base64 = (await callGateway(rig.url, { prompt: 'a cat', size: '1536x1024' })).json().data[0]?.b64_json;
    expect(bytes.toString('base64')).toBe(base64);
  });

  test.each([
    { authorization: `Bearer ${gatewayKey}` },
    { authorization: 'Bearer of somebody else' },
    { 'api-key': 'wrong', cookie: 'a=b' },
  ])('works with %o as well', async (headers) => {
    const { link } = await startHosting();
    const { statusCode, body } = await request(link, { headers: headers as Record<string, string> });
    await body.dump();
    expect(statusCode).toBe(200);
  });

  test.each(['png', 'jpeg'])('a %s is served as what it is, and as nothing else', async (format) => {
    const { link } = await startHosting({}, { ...wanted, output_format: format });
    const { headers, body } = await request(link);
    const bytes = await body.arrayBuffer();
    expect(headers).toMatchObject({
      'content-type': `image/${format}`,
      'content-length': String(bytes.byteLength),
      'x-content-type-options': 'nosniff',
      'content-disposition': 'inline',
      'content-security-policy': "default-src 'none'; sandbox",
      'accept-ranges': 'bytes',
      etag: `"${idOf(link)}"`,
    });
    expect(headers['cache-control']).toMatch(/^private, max-age=(86400|863\d\d), immutable$/);
    expect((await sharp(Buffer.from(bytes)).metadata()).format).toBe(format);
  });

  test.each([
    ['png', ['png']],
    ['jpeg', ['jpg', 'jpeg']],
  ])(
    'a link of a %s ends so; it is found without an ending, too, and not with that of another type',
    async (format, endings) => {
      const { rig, link } = await startHosting({}, { ...wanted, output_format: format });
      const id = idOf(link);
      expect(link).toBe(`${rig.url}${filesPath}/${id}.${endings[0]}`);
      for (const name of [id, ...endings.map((ending) => `${id}.${ending}`)]) {
        for (const method of ['GET', 'HEAD'] as const) {
          const { statusCode, headers, body } = await request(`${rig.url}${filesPath}/${name}`, { method });
          await body.dump();
          expect([name, method, statusCode, headers['content-type']]).toEqual([name, method, 200, `image/${format}`]);
        }
        const part = await fetch(`${rig.url}${filesPath}/${name}`, { headers: { range: 'bytes=1-3' } });
        expect([name, part.status, (await part.arrayBuffer()).byteLength]).toEqual([name, 206, 3]);
      }
      const wrong = ['', 'webp', 'gif', 'svg', 'html', 'PNG', 'png.png', 'png%2F', format === 'png' ? 'jpg' : 'png'];
      for (const ending of wrong) {
        const { status } = await fetch(`${rig.url}${filesPath}/${id}.${ending}`);
        expect([ending, status]).toEqual([ending, 404]);
      }
    },
  );

  test('each image of several has its own link', async () => {
    const { response } = await startHosting({}, { ...wanted, n: 3 });
    const links = response.json().data.map(({ url }) => url ?? '');
    expect(new Set(links).size).toBe(3);
    for (const link of links) expect((await fetch(link)).status).toBe(200);
  });

  test('of several calls, too', async () => {
    const { store } = await startStore();
    const rig = await startRig({ store, modelKeys: { capabilities: { maxCount: 1 } } });
    const response = await callGateway(rig.url, { ...wanted, n: 3 });
    expect(response.headers.get('x-gateway-adapted')).toBe('n=fan-out, delivery=url');
    for (const { url } of response.json().data) expect((await fetch(url ?? '')).status).toBe(200);
  });

  test('also where the upstream’s stream is collapsed: partial images are not hosted', async () => {
    const { store, directory } = await startStore();
    const rig = await startRig({ store, modelKeys: { upstreamStream: 'always' } });
    expect((await callGateway(rig.url, wanted)).json().data).toHaveLength(1);
    expect((await filesIn(directory)).images).toHaveLength(1);
  });

  test('a gateway that closes and opens again still has it', async () => {
    const { link, directory } = await startHosting();
    const { createDiskImageStore } = await import('../../src/storage/disk-image-store.ts');
    const again = await startRig({ store: await createDiskImageStore({ directory }) });
    expect((await fetch(`${again.url}${new URL(link).pathname}`)).status).toBe(200);
  });
});

describe('reading a hosted file', () => {
  async function read(link: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') {
    const response = await request(link, { method, headers });
    return {
      status: response.statusCode,
      headers: response.headers,
      bytes: Buffer.from(await response.body.arrayBuffer()),
    };
  }

  test('HEAD reports everything but the bytes', async () => {
    const { link } = await startHosting();
    const [head, get] = [await read(link, {}, 'HEAD'), await read(link)];
    expect([head.status, head.bytes.length]).toEqual([200, 0]);
    for (const name of ['etag', 'content-type', 'content-length', 'accept-ranges', 'x-content-type-options']) {
      expect([name, head.headers[name]]).toEqual([name, get.headers[name]]);
    }
  });

  test('whoever has it already gets a 304', async () => {
    const { link } = await startHosting();
    const { headers } = await read(link);
    const etag = String(headers.etag);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await read(link, { 'if-none-match': known });
      expect([known, response.status, response.bytes.length, response.headers.etag]).toEqual([known, 304, 0, etag]);
    }
    expect((await read(link, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  test.each<[string, (length: number) => [number, number]]>([
    ['bytes=0-0', () => [0, 0]],
    ['bytes=10-99', () => [10, 99]],
    ['bytes=100-', (length) => [100, length - 1]],
    ['bytes=-5', (length) => [length - 5, length - 1]],
    ['bytes=0-99999999', (length) => [0, length - 1]],
    ['bytes=-99999999', (length) => [0, length - 1]],
  ])('range %s is a 206 with exactly that', async (range, expected) => {
    const { link } = await startHosting();
    const whole = (await read(link)).bytes;
    const [first, last] = expected(whole.length);
    const { status, headers, bytes } = await read(link, { range });
    expect(status).toBe(206);
    expect(headers).toMatchObject({
      'content-range': `bytes ${first}-${last}/${whole.length}`,
      'content-length': String(last - first + 1),
    });
    expect(bytes.equals(whole.subarray(first, last + 1))).toBe(true);
  });

  test.each(['bytes=99999999-', 'bytes=99999999-999999999', 'bytes=-0'])('range %s is a 416', async (range) => {
    const { link } = await startHosting();
    const length = (await read(link)).bytes.length;
    const { status, headers, bytes } = await read(link, { range });
    expect([status, headers['content-range']]).toEqual([416, `bytes */${length}`]);
    expect(JSON.parse(bytes.toString()).error.code).toBe('range_not_satisfiable');
  });

  test.each(['bytes=0-1,3-4', 'lines=0-1', 'bytes=5-2', 'bytes=x-', 'bytes=-', 'bytes=0-1 '.repeat(100)])(
    'range %s, which nobody must understand, gets everything',
    async (range) => {
      const { link } = await startHosting();
      const whole = (await read(link)).bytes.length;
      const { status, bytes } = await read(link, { range });
      expect([status, bytes.length]).toEqual([200, whole]);
    },
  );

  test('a range of an image that has changed in between is the whole image', async () => {
    const { link } = await startHosting();
    const { headers } = await read(link);
    expect((await read(link, { range: 'bytes=0-9', 'if-range': '"other"' })).status).toBe(200);
    expect((await read(link, { range: 'bytes=0-9', 'if-range': String(headers.etag) })).status).toBe(206);
  });

  test.each(['POST', 'PUT', 'DELETE'] as const)('%s is a 405', async (method) => {
    const { link } = await startHosting();
    const { statusCode, headers, body } = await request(link, { method });
    expect([statusCode, headers.allow]).toEqual([405, 'GET, HEAD']);
    expect(await body.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
    expect((await read(link)).status).toBe(200);
  });

  test('a reader that disconnects: the next one gets all of it', async () => {
    const { link, rig } = await startHosting({}, { prompt: 'simulate:big-24', response_format: 'url' });
    const socket = openSocket(rig.url);
    socket.write(`GET ${new URL(link).pathname} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.destroy();
    const { status, bytes } = await read(link);
    expect([status, bytes.length > 24_000_000]).toEqual([200, true]);
  });

  test.each([
    ['all of it', ''],
    ['a part', 'range: bytes=0-19999999\r\n'],
  ])('a reader that takes nothing is given up, and the file is closed: %s', async (_, range) => {
    const big = { prompt: 'simulate:big-24', response_format: 'url' };
    const { link, rig, directory } = await startHosting({ stallMs: 300 }, big);
    const socket = openSocket(rig.url);
    socket.write(`GET ${new URL(link).pathname} HTTP/1.1\r\nhost: x\r\n${range}\r\n`);
    await expect.poll(() => openFiles(join(directory, 'images')), patience).toHaveLength(1);
    await expect.poll(() => fileLines(rig).map(({ end }) => end), patience).toEqual(['truncated']);
    await expect.poll(() => openFiles(join(directory, 'images')), patience).toEqual([]);
    // It learns that what it gets is not all.
    const [head = '', body = ''] = await restOf(socket);
    expect(body.length).toBeLessThan(Number(/content-length: (\d+)/.exec(head)?.[1]));
  });

  test('a reader that takes its time, but goes on, gets all of it', async () => {
    const { link, rig } = await startHosting({ stallMs: 2_000 }, { prompt: 'simulate:big-24', response_format: 'url' });
    const socket = openSocket(rig.url);
    socket.write(`GET ${new URL(link).pathname} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    let length = 0;
    let pauses = 0;
    for await (const chunk of socket) {
      length += chunk.length;
      // Together longer than a reader may do nothing.
      if (length > pauses * 2_000_000) await wait(200);
      pauses = Math.ceil(length / 2_000_000);
    }
    expect(length).toBeGreaterThan(24_000_000);
    expect(fileLines(rig).map(({ end }) => end)).toEqual(['completed']);
  });
});

const guessed = 'A'.repeat(24);
const refused = [
  'x'.repeat(2_000),
  '%',
  '%u002e%u002e/secret',
  '%zz',
  '%c0%af',
  '%e0%80%af',
  '%ff%fe',
  '..%c0%af..%c0%afsecret',
];
const traversals = [
  '../secret',
  '../../secret',
  '../images',
  '..',
  '.',
  './secret',
  '/secret',
  '//secret',
  '/etc/passwd',
  '///etc/passwd',
  '../../../../../../../../etc/passwd',
  '%2e%2e%2fsecret',
  '%2e%2e/secret',
  '..%2fsecret',
  '..%2f..%2fsecret',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '%2fetc%2fpasswd',
  '%252e%252e%252fsecret',
  '..%252fsecret',
  '..%5csecret',
  '..%5c..%5csecret',
  '..\\secret',
  '%5c%5chost%5cshare',
  'C:%5cWindows%5cwin.ini',
  'file:%2f%2f%2fetc%2fpasswd',
  `${guessed}%00`,
  `${guessed}%00.png`,
  '%00',
  'secret%00.png',
  `${guessed}%0d%0ax-evil:%201`,
  `${guessed}/`,
  `${guessed}/../secret`,
  `${guessed}.png`,
  `${guessed}%20`,
  `${guessed.slice(1)}`,
  `${guessed}A`,
  '....//secret',
  '..;/secret',
  'images',
  'arriving',
  'link',
  'secret',
  '~',
  '%EF%BC%8E%EF%BC%8E%EF%BC%8Fsecret',
  `${'../'.repeat(200)}etc/passwd`,
  'x'.repeat(1_000),
  '__proto__',
  'constructor',
  '-%2e%2e',
  '*',
  '%2a',
];

describe('ids that are none', () => {
  test(`guessed, altered and ${traversals.length} wandering ones look alike: a 404, and nothing of other files`, async () => {
    const { rig, link, directory } = await startHosting();
    const canary = 'canary-of-another-file';
    await writeFile(join(directory, 'secret'), canary);
    await writeFile(join(directory, 'images', guessed), canary);
    await symlink(join(directory, 'secret'), join(directory, 'images', 'link'));
    const id = idOf(link);
    const [record = ''] = (await filesIn(directory)).images.filter((name) => name.startsWith(id));
    const altered = [
      `${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`,
      `${id}A`,
      id.slice(0, -1),
      id.toUpperCase() === id ? id.toLowerCase() : id.toUpperCase(),
    ];
    for (const vector of [guessed, '', record, encodeURIComponent(record), ...altered, ...traversals]) {
      const response = await exchange(
        rig.url,
        `GET ${filesPath}/${vector.replaceAll(' ', '%20')} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      );
      expect([vector, response.split('\r\n')[0]]).toEqual([vector, 'HTTP/1.1 404 Not Found']);
      const body = JSON.parse(response.slice(response.indexOf('\r\n\r\n') + 4));
      expect(body).toEqual({
        error: { message: expect.any(String), type: 'invalid_request_error', param: null, code: 'unknown_url' },
      });
      expect(response).not.toContain(canary);
      expect(response).not.toContain(directory);
    }
    expect((await fetch(link)).status).toBe(200);
  });

  test.each(refused)('%s, which cannot be decoded or is longer than any id, is a 400', async (vector) => {
    const { rig } = await startHosting();
    const response = await exchange(
      rig.url,
      `GET ${filesPath}/${vector} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    );
    expect(response).toMatch(/^HTTP\/1\.1 400 /);
    expect(response).toContain('"code":"invalid_request"');
  });

  test('an image of another gateway is not found here', async () => {
    const [one, other] = [await startHosting(), await startHosting()];
    const { status } = await fetch(`${other.rig.url}${new URL(one.link).pathname}`);
    expect(status).toBe(404);
  });

  test('an expired one is gone, like one that never was', async () => {
    let now = Date.now();
    const { store } = await startStore({ lifetimeMs: 60_000, now: () => now });
    const rig = await startRig({ store });
    const link = (await callGateway(rig.url, wanted)).json().data[0]?.url ?? '';
    expect((await fetch(link)).status).toBe(200);
    now += 60_001;
    const expired = await fetch(link);
    const never = await fetch(`${rig.url}${filesPath}/${guessed}`);
    expect([expired.status, never.status]).toEqual([404, 404]);
    expect(await expired.text()).toBe(await never.text());
  });

  test('one whose file was exchanged for a link elsewhere is not found', async () => {
    const { link, directory } = await startHosting();
    const [name = ''] = (await filesIn(directory)).images;
    await rm(join(directory, 'images', name));
    await symlink('/etc/passwd', join(directory, 'images', name));
    expect((await fetch(link)).status).toBe(404);
  });
});

describe('the address of a link', () => {
  const spoofed = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    forwarded: 'host=evil.example;proto=https',
  };

  test('is that of PUBLIC_BASE_URL, whatever the caller’s headers say', async () => {
    const { store } = await startStore();
    const rig = await startRig({ store, publicBaseUrl: 'https://images.example/gateway' });
    const { body } = await request(`${rig.url}${generationsPath}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'api-key': gatewayKey, ...spoofed },
      body: JSON.stringify(wanted),
    });
    const text = await body.text();
    expect(JSON.parse(text).data[0].url).toMatch(
      /^https:\/\/images\.example\/gateway\/v1\/images\/files\/[\w-]{24}\.png$/,
    );
    expect(text).not.toContain('evil');
  });

  test('without it, is the loopback address on which the gateway listens', async () => {
    const { store } = await startStore();
    const rig = await startRig({ store });
    const { body } = await request(`${rig.url}${generationsPath}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'api-key': gatewayKey, ...spoofed },
      body: JSON.stringify(wanted),
    });
    const text = await body.text();
    expect(JSON.parse(text).data[0].url.startsWith(`${rig.url}${filesPath}/`)).toBe(true);
    expect(text).not.toContain('evil');
  });
});

describe('storing', () => {
  test('a response is given only when every image is stored', async () => {
    const seen = Promise.withResolvers<void>();
    const upstream = await startUpstream(async (_request, response) => {
      response.write(`{"created":1,"data":[{"b64_json":"${tinyPng}"},{"b64_json":"${tinyPng.slice(0, 88)}`);
      await seen.promise;
      response.end(`${tinyPng.slice(88)}"}]}`);
    });
    const { store, directory } = await startStore();
    const { url } = await startGateway(modelsFile(upstream.origin), { store });
    let hasResponse = false;
    const reply = callGateway(url, { ...wanted, n: 2 }).then((called) => {
      hasResponse = true;
      return called;
    });
    await expect.poll(async () => (await filesIn(directory)).images.length, patience).toBe(1);
    await wait(50);
    expect(hasResponse).toBe(false);
    seen.resolve();
    expect((await reply).json().data).toHaveLength(2);
    expect((await filesIn(directory)).arriving).toEqual([]);
  });

  test.each([
    ['ends', 'reset', 502, 'upstream_outcome_unknown'],
    ['is no image', 'not-an-image', 502, 'upstream_invalid_response'],
    ['is cut', 'truncated-close', 502, 'upstream_outcome_unknown'],
  ])('an image that %s (%s): an ordinary error, and nothing stays on the disk', async (_, scenario, status, code) => {
    const { store, directory } = await startStore();
    const rig = await startRig({ store });
    const response = await callGateway(rig.url, { prompt: `simulate:${scenario}`, response_format: 'url' });
    expect([response.status, response.json().error.code]).toEqual([status, code]);
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(await filesIn(directory)).toEqual({ images: [], arriving: [] });
  });

  test('a client that disconnects meanwhile: nothing stays on the disk', async () => {
    const upstream = await startUpstream((_request, response) => {
      response.on('error', () => {});
      response.write(`{"created":1,"data":[{"b64_json":"${tinyPng.slice(0, 88)}${'AAAA'.repeat(400_000)}`);
    });
    const { store, directory } = await startStore();
    const gateway = await startGateway(modelsFile(upstream.origin), { store });
    const socket = openSocket(gateway.url);
    socket.write(rawCall(wanted));
    await expect.poll(async () => (await filesIn(directory)).arriving.length, patience).toBe(1);
    socket.destroy();
    await expect.poll(() => filesIn(directory), patience).toEqual({ images: [], arriving: [] });
    await expect.poll(() => upstream.connections, patience).toBe(0);
    await expect.poll(() => requestLines(gateway), patience).toMatchObject([{ end: 'disconnected', status: 499 }]);
  });

  const breakages: [string, (directory: string) => Promise<void>][] = [
    [
      'the directory of arriving images has become a file',
      async (directory) => {
        await rm(join(directory, 'arriving'), { recursive: true });
        await writeFile(join(directory, 'arriving'), '');
      },
    ],
    [
      'the directory of images has become a file',
      async (directory) => {
        await rm(join(directory, 'images'), { recursive: true });
        await writeFile(join(directory, 'images'), '');
      },
    ],
    [
      'images cannot be moved to their place',
      (directory) => rename(join(directory, 'images'), join(directory, 'elsewhere')),
    ],
  ];

  test.each(breakages)(
    '%s: 507, not to be repeated, no temporary file, and other requests work',
    async (_, breakIt) => {
      const { store, directory } = await startStore();
      const rig = await startRig({ store });
      await breakIt(directory);
      const response = await callGateway(rig.url, wanted);
      expect(response.status).toBe(507);
      expect(response.json()).toEqual({
        error: { message: expect.stringMatching(/\S/), type: 'server_error', param: null, code: 'storage_failed' },
      });
      expect(response.headers.get('x-should-retry')).toBe('false');
      expect(response.text).not.toContain(directory);
      expect(await readdir(join(directory, 'arriving')).catch(() => [])).toEqual([]);
      expect(rig.paidPosts()).toHaveLength(1);
      expect(rig.app.gateway.inFlight).toBe(0);
      expect((await callGateway(rig.url, { prompt: 'a cat' })).status).toBe(200);
    },
  );

  test('the whole directory is gone: 503 before anything is sent, and other requests work', async () => {
    const { store, directory } = await startStore();
    const rig = await startRig({ store });
    await rm(directory, { recursive: true });
    const response = await callGateway(rig.url, wanted);
    expect([response.status, response.json().error.code]).toEqual([503, 'store_unavailable']);
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(rig.paidPosts()).toHaveLength(0);
    expect((await callGateway(rig.url, { prompt: 'a cat' })).status).toBe(200);
  });

  // Whoever runs as root may write everywhere.

  test('a store that is too small for the image: 507, and nothing stays on the disk', async () => {
    const { store, directory } = await startStore({ maxBytes: 1_000 });
    const rig = await startRig({ store });
    const response = await callGateway(rig.url, wanted);
    expect([response.status, response.json().error.code]).toEqual([507, 'storage_failed']);
    expect(await filesIn(directory)).toEqual({ images: [], arriving: [] });
  });

  test('a full store gives up the oldest images', async () => {
    const { store } = await startStore({ maxBytes: 2_500_000 });
    const rig = await startRig({ store });
    const links: string[] = [];
    for (let made = 0; made < 3; made += 1) {
      const response = await callGateway(rig.url, { prompt: 'simulate:big-1', response_format: 'url' });
      links.push(response.json().data[0]?.url ?? '');
    }
    const statuses = await Promise.all(links.map(async (link) => (await fetch(link)).status));
    expect(statuses).toEqual([404, 200, 200]);
  });
});

describe('the legacy flow', () => {
  const legacy = { model: 'dall-e-2', prompt: 'a cat', size: '256x256' };

  test('base64: the image is downloaded, decodes, and is not hosted', async () => {
    const { store, directory } = await startStore();
    const rig = await startRig({ store });
    const { data } = (await callGateway(rig.url, { ...legacy, response_format: 'b64_json' })).json();
    const { width, height } = await sharp(Buffer.from(data[0]?.b64_json ?? '', 'base64')).metadata();
    expect([width, height]).toEqual([256, 256]);
    expect((await filesIn(directory)).images).toEqual([]);
  });

  test('a link stays the upstream’s', async () => {
    const { store, directory } = await startStore();
    const rig = await startRig({ store });
    const response = await callGateway(rig.url, { ...legacy, response_format: 'url' });
    expect(response.json().data[0]?.url).toContain(`${rig.simulator.origin}/private/images/`);
    expect(response.headers.get('x-gateway-adapted')).toBeNull();
    expect((await filesIn(directory)).images).toEqual([]);
  });
});
