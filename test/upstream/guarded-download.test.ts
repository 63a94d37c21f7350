import type { RequestListener } from 'node:http';
import { buildConnector } from 'undici';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createImageDownloads } from '../../src/upstream/guarded-download.ts';
import { certificate, serveHttp } from '../helpers/loopback-server.ts';

// The pauses between tries, a hundredth as long.
vi.mock('../../src/concurrency/pause.ts', async (importActual) => {
  const { pause } = await importActual<typeof import('../../src/concurrency/pause.ts')>();
  return { pause: (ms: number, signal: AbortSignal) => pause(ms / 100, signal) };
});

const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(100_000, 7)]);

/** Downloads whose public route leads to a loopback port, under whatever name was asked for. */
function downloads(options: { publicPort?: number; configuredOrigins?: string[]; silenceMs?: number } = {}) {
  const dial = buildConnector({ ca: certificate.cert });
  const connector: buildConnector.connector = (asked, done) =>
    dial(
      {
        ...asked,
        hostname: '127.0.0.1',
        host: '127.0.0.1',
        port: String(options.publicPort),
        servername: asked.hostname,
      },
      done,
    );
  const images = createImageDownloads(connector, undefined, options.silenceMs);
  onTestFinished(() => images.close());
  const download = images.allowing(options.configuredOrigins ?? []);
  return (url: string, signal = new AbortController().signal, until?: number) => download(url, signal, until);
}

/** Serves `/a.png`, one listener for each request and the last one for all that follow; gives the ranges asked for. */
async function serveInTurn(...listeners: RequestListener[]) {
  const ranges: (string | undefined)[] = [];
  const port = await serveHttp((request, response) => {
    const listener = listeners[Math.min(ranges.length, listeners.length - 1)] as RequestListener;
    ranges.push(request.headers.range);
    listener(request, response);
  });
  const origin = `http://127.0.0.1:${port}`;
  const open = (silenceMs?: number, signal?: AbortSignal, until?: number) =>
    downloads({ configuredOrigins: [origin], ...(silenceMs && { silenceMs }) })(`${origin}/a.png`, signal, until);
  return { ranges, open };
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}

const lost = { kind: 'upstream_result_unavailable', outcome: 'unknown' };

describe('the download of a result image', () => {
  test('from the target’s own origin gives its bytes, and carries no credential', async () => {
    const seen: Record<string, unknown>[] = [];
    const port = await serveHttp((request, response) => {
      seen.push(request.headers);
      response.end(png);
    });
    const origin = `http://127.0.0.1:${port}`;
    const image = await downloads({ configuredOrigins: [origin] })(`${origin}/a.png?sig=1`);
    expect(image.mediaType).toBe('image/png');
    expect(await bytesOf(image.bytes)).toEqual(png);
    expect(Object.keys(seen[0] ?? {}).sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ]);
  });

  test('from one of Azure’s blob hosts by https gives its bytes', async () => {
    const publicPort = await serveHttp((_request, response) => response.end(png), { secure: true });
    const image = await downloads({ publicPort })('https://pictures.blob.core.windows.net/private/a.png?sig=1');
    expect(await bytesOf(image.bytes)).toEqual(png);
  });

  test.each([
    'http://pictures.blob.core.windows.net/a.png',
    'https://pictures.blob.core.windows.net:444/a.png',
    'https://user@pictures.blob.core.windows.net/a.png',
    'https://blob.core.windows.net/a.png',
    'https://pictures.blob.core.windows.net.evil.example/a.png',
    'https://evil.example/pictures.blob.core.windows.net',
    'https://evilblob.core.windows.net/a.png',
    'https://169.254.169.254/metadata',
    'https://[::1]/a.png',
    'ftp://pictures.blob.core.windows.net/a.png',
    'file:///etc/passwd',
    'javascript:alert(1)',
    '//pictures.blob.core.windows.net/a.png',
    'a.png',
  ])('from %s is refused without a connection', async (url) => {
    let connections = 0;
    const publicPort = await serveHttp(() => (connections += 1), { secure: true });
    await expect(downloads({ publicPort })(url)).rejects.toMatchObject(lost);
    expect(connections).toBe(0);
  });

  const whole: RequestListener = (_request, response) => response.end(png);

  const failures: Record<string, RequestListener> = {
    'a missing blob': (_request, response) => response.writeHead(404).end(png),
    'an expired link': (_request, response) => response.writeHead(403).end('<html>'),
    'a fault of the storage': (_request, response) => response.writeHead(500).end(),
    'too many requests': (_request, response) => response.writeHead(429, { 'retry-after-ms': '1' }).end(),
    'a redirect': (_request, response) => response.writeHead(302, { location: '/b.png' }).end(),
    'a page of HTML': (_request, response) =>
      response.writeHead(200, { 'content-type': 'image/png' }).end('<html></html>'),
    'a compressed body': (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(png),
    'an empty body': (_request, response) => response.end(),
    'a reset': (request) => request.socket.resetAndDestroy(),
    'silence before the head': () => {},
    'silence before the first byte': (_request, response) => {
      response.writeHead(200, { 'content-length': png.length }).flushHeaders();
    },
  };

  test.each(Object.entries(failures))('after %s, three times, is tried again', async (_name, listener) => {
    const { ranges, open } = await serveInTurn(listener, listener, listener, whole);
    expect(await bytesOf((await open(50)).bytes)).toEqual(png);
    expect(ranges).toEqual(Array(4).fill(undefined));
  });

  test.each(Object.entries(failures))(
    'of %s alone is lost when no time is left, and not before',
    async (_name, fail) => {
      const { ranges, open } = await serveInTurn(fail);
      await expect(open(50, undefined, performance.now() + 1_000)).rejects.toMatchObject(lost);
      expect(ranges.length).toBeGreaterThan(1);
    },
  );

  test('of a file whose announced length is above the cap is refused after one try', async () => {
    const { ranges, open } = await serveInTurn((_request, response) => {
      response.writeHead(200, { 'content-length': 65 * 1024 * 1024 }).write(png);
    });
    await expect(open()).rejects.toMatchObject(lost);
    expect(ranges).toHaveLength(1);
  });

  test('waits longer with each try that brings nothing, so that a slow server has its time', async () => {
    const slow: RequestListener = (_request, response) => void setTimeout(() => response.end(png), 150);
    const { ranges, open } = await serveInTurn(slow);
    expect(await bytesOf((await open(50)).bytes)).toEqual(png);
    expect(ranges.length).toBeGreaterThan(1);
  });

  test('is tried once also when it begins shortly before the end, or behind it: the deadline ends it', async () => {
    const slow: RequestListener = (_request, response) => void setTimeout(() => response.end(png), 100);
    for (const leftMs of [20, -20]) {
      const { ranges, open } = await serveInTurn(slow);
      expect(await bytesOf((await open(undefined, undefined, performance.now() + leftMs)).bytes)).toEqual(png);
      expect(ranges).toHaveLength(1);
    }
  });

  test('waits as long as a 429 says', async () => {
    let saidAt = 0;
    let waited = 0;
    const { open } = await serveInTurn(
      (_request, response) => {
        saidAt = performance.now();
        response.writeHead(429, { 'retry-after': '25' }).end();
      },
      (_request, response) => {
        waited = performance.now() - saidAt;
        response.end(png);
      },
    );
    await open();
    expect(waited).toBeGreaterThan(245);
  });

  describe('that is cut', () => {
    const etag = '"one"';
    const isCut =
      (from: number, to: number, headers: Record<string, string> = {}): RequestListener =>
      (_request, response) => {
        const range = from > 0 ? { 'content-range': `bytes ${from}-${png.length - 1}/${png.length}` } : {};
        response.writeHead(from > 0 ? 206 : 200, { 'content-length': png.length - from, ...range, ...headers });
        response.write(png.subarray(from, to), () => response.destroy());
      };
    const ends =
      (from: number, headers: Record<string, string | number> = {}, file = png): RequestListener =>
      (_request, response) => {
        const range = { 'content-range': `bytes ${from}-${png.length - 1}/${png.length}`, etag };
        response.writeHead(206, { ...range, ...headers }).end(file.subarray(from));
      };
    /** Where the range begins that was asked for. */
    const rangeFrom = (range: string | undefined) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]);

    test('goes on with a range from where it broke off', async () => {
      const { ranges, open } = await serveInTurn(isCut(0, 50_000, { etag }), (request, response) => {
        expect(request.headers['if-range']).toBe(etag);
        ends(rangeFrom(request.headers.range))(request, response);
      });
      expect(await bytesOf((await open()).bytes)).toEqual(png);
      expect(ranges).toEqual([undefined, 'bytes=50000-']);
    });

    test('again and again goes on each time', async () => {
      const steps = [0, 1, 2, 3].map((step) => step * 20_000);
      const cuts = steps.map((from) => isCut(from, from + 20_000, { etag }));
      const { ranges, open } = await serveInTurn(...cuts, ends(80_000));
      expect(await bytesOf((await open()).bytes)).toEqual(png);
      expect(ranges.map(rangeFrom).slice(1)).toEqual([20_000, 40_000, 60_000, 80_000]);
    });

    test.each<[string, Record<string, string>]>([
      ['has no tag', {}],
      ['has a weak tag', { etag: 'W/"one"' }],
    ])('from a server whose file %s starts again, and skips what has passed', async (_name, headers) => {
      const { ranges, open } = await serveInTurn(isCut(0, 50_000, headers), whole);
      expect(await bytesOf((await open()).bytes)).toEqual(png);
      expect(ranges).toEqual([undefined, undefined]);
    });

    test('from a server that does not know ranges skips what has passed', async () => {
      const { ranges, open } = await serveInTurn(isCut(0, 50_000, { etag }), whole);
      expect(await bytesOf((await open()).bytes)).toEqual(png);
      expect(ranges).toHaveLength(2);
    });

    const wrongRanges: [string, RequestListener][] = [
      ['of another version', ends(50_000, { etag: '"two"' })],
      ['without a tag', (_request, response) => response.writeHead(206).end(png.subarray(50_000))],
      ['from elsewhere', ends(60_000)],
      ['of another length', ends(50_000, { 'content-range': 'bytes 50000-60000/60001' })],
      ['that is compressed', ends(50_000, { 'content-encoding': 'gzip' })],
      ['that is refused', (_request, response) => response.writeHead(416, { 'content-range': 'bytes */7' }).end()],
    ];
    test.each(wrongRanges)('believes no range %s, and starts again', async (_name, listener) => {
      const { ranges, open } = await serveInTurn(isCut(0, 50_000, { etag }), listener, whole);
      expect(await bytesOf((await open()).bytes)).toEqual(png);
      expect(ranges.slice(0, 2)).toEqual([undefined, 'bytes=50000-']);
    });

    test.each(Object.entries(failures))('and then meets %s goes on after that', async (_name, listener) => {
      const { open } = await serveInTurn(isCut(0, 50_000), listener, listener, whole);
      expect(await bytesOf((await open(50)).bytes)).toEqual(png);
    });

    test('and meanwhile replaced by another image is lost, and no mixture of both', async () => {
      const other = Buffer.concat([png.subarray(0, 40_000), Buffer.alloc(60_008, 9)]);
      const { ranges, open } = await serveInTurn(isCut(0, 50_000), (_request, response) => response.end(other));
      await expect(bytesOf((await open()).bytes)).rejects.toMatchObject(lost);
      expect(ranges).toHaveLength(2);
    });

    test('and never goes on is lost when no time is left, as a lost result and not as a short image', async () => {
      const { open } = await serveInTurn(isCut(0, 50_000), (request) => request.socket.destroy());
      const image = await open(undefined, undefined, performance.now() + 1_000);
      await expect(bytesOf(image.bytes)).rejects.toMatchObject(lost);
    });

    test('keeps its cap over all of its parts together', async () => {
      const head = png.subarray(0, 12);
      const mebibyte = 1024 * 1024;
      // Without lengths, and so long that two of its parts are above the cap together.
      const part: RequestListener = (request, response) => {
        const from = rangeFrom(request.headers.range) || 0;
        const range = { 'content-range': `bytes ${from}-${67_000_000}/67000001`, etag };
        response.writeHead(from > 0 ? 206 : 200, from > 0 ? range : { etag });
        if (from === 0) response.write(head);
        for (let sent = 0; sent < 40; sent += 1) response.write(Buffer.alloc(mebibyte));
        response.end(() => response.destroy());
        if (from === 0) setImmediate(() => response.socket?.resetAndDestroy());
      };
      const { open } = await serveInTurn(part);
      let length = 0;
      const read = async () => {
        for await (const chunk of (await open()).bytes) length += chunk.length;
      };
      await expect(read()).rejects.toMatchObject(lost);
      expect(length).toBeLessThanOrEqual(64 * mebibyte);
    });
  });

  test('ends with the signal’s reason', async () => {
    const port = await serveHttp(() => {});
    const origin = `http://127.0.0.1:${port}`;
    const reason = new Error('enough');
    const abort = new AbortController();
    const opening = downloads({ configuredOrigins: [origin] })(`${origin}/a.png`, abort.signal);
    abort.abort(reason);
    await expect(opening).rejects.toBe(reason);
  });
});
