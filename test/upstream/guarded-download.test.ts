import type { RequestListener } from 'node:http';
import { buildConnector } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createImageDownloads } from '../../src/upstream/guarded-download.ts';
import { certificate, serveHttp } from '../helpers/loopback-server.ts';

const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(100_000, 7)]);

/** Downloads whose public route leads to a loopback port, under whatever name was asked for. */
function downloads(options: { publicPort?: number; configuredOrigins?: string[] } = {}) {
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
  const images = createImageDownloads(connector);
  onTestFinished(() => images.close());
  const download = images.allowing(options.configuredOrigins ?? []);
  return (url: string, signal = new AbortController().signal) => download(url, signal);
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}

const lost = { kind: 'upstream_result_unavailable', outcome: 'unknown' };

describe('the download of a result picture', () => {
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

  const failures: Record<string, RequestListener> = {
    'a missing blob': (_request, response) => response.writeHead(404).end(png),
    'an expired link': (_request, response) => response.writeHead(403).end('<html>'),
    'a redirect': (_request, response) => response.writeHead(302, { location: '/b.png' }).end(),
    'a page of HTML': (_request, response) =>
      response.writeHead(200, { 'content-type': 'image/png' }).end('<html></html>'),
    'a compressed body': (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(png),
    'an announced length above the cap': (_request, response) => {
      response.writeHead(200, { 'content-length': 65 * 1024 * 1024 }).write(png);
    },
    'an empty body': (_request, response) => response.end(),
  };
  test.each(Object.entries(failures))('of %s is refused after one try', async (_name, listener) => {
    let requests = 0;
    const port = await serveHttp((request, response) => {
      requests += 1;
      listener(request, response);
    });
    const origin = `http://127.0.0.1:${port}`;
    await expect(downloads({ configuredOrigins: [origin] })(`${origin}/a.png`)).rejects.toMatchObject(lost);
    expect(requests).toBe(1);
  });

  test('is tried again after a passing failure, three times at most', async () => {
    let requests = 0;
    const port = await serveHttp((request, response) => {
      requests += 1;
      if (request.url === '/gone' || requests < 3) response.writeHead(503).end();
      else response.end(png);
    });
    const origin = `http://127.0.0.1:${port}`;
    const download = downloads({ configuredOrigins: [origin] });
    const image = await download(`${origin}/a.png`);
    expect(await bytesOf(image.bytes)).toEqual(png);
    requests = 0;
    await expect(download(`${origin}/gone`)).rejects.toMatchObject(lost);
    expect(requests).toBe(3);
  });

  test('that is cut fails as a lost result, not as a short picture', async () => {
    const port = await serveHttp((_request, response) => {
      response.writeHead(200, { 'content-length': png.length });
      response.write(png.subarray(0, 50_000), () => response.destroy());
    });
    const origin = `http://127.0.0.1:${port}`;
    const image = await downloads({ configuredOrigins: [origin] })(`${origin}/a.png`);
    await expect(bytesOf(image.bytes)).rejects.toMatchObject(lost);
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
