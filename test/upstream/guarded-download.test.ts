import type { RequestListener } from 'node:http';
import net from 'node:net';
import { buildConnector } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { guardedConnector, isForbiddenAddress, type ResolveAll } from '../../src/upstream/guarded-connector.ts';
import { createImageDownloads } from '../../src/upstream/guarded-download.ts';
import { certificate, refusedPort, serveHttp, serveRaw } from '../helpers/loopback-server.ts';

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

const forbidden = [
  ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1'],
  ...['172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.1'],
  ...['203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '::', '::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1'],
  ...['64:ff9b::7f00:1', '64:ff9b:1::1', '100::1', '2001::1', '2001:db8::1', '2002:7f00:1::', 'fc00::1', 'fd12::1'],
  ...['fe80::1', 'fec0::1', 'ff02::1', 'not an address', ''],
];

describe('the guarded connector', () => {
  test.each(forbidden)('calls %j forbidden', (address) => expect(isForbiddenAddress(address)).toBe(true));

  test.each(['8.8.8.8', '20.60.1.1', '2603:1030::1', '172.32.0.1', '100.128.0.1'])('calls %s public', (address) => {
    expect(isForbiddenAddress(address)).toBe(false);
  });

  const connect = (protocol: string, hostname: string, port: number, resolve?: ResolveAll) =>
    new Promise((settle) => {
      const options = { protocol, hostname, host: `${hostname}:${port}`, port: String(port), httpSocket: undefined };
      guardedConnector(isForbiddenAddress, resolve)(options as never, (...[error, socket]) => {
        socket?.destroy();
        settle(error?.name ?? 'connected');
      });
    });
  const literals = [
    '127.0.0.1',
    'localhost',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '0x7f.1',
    '127.1',
    '0',
    '[::]',
  ];

  describe.each(['http:', 'https:'])('for %s', (protocol) => {
    test.each(literals)('never connects to %s', async (host) => {
      let connections = 0;
      const port = await serveRaw(() => (connections += 1));
      // URLs write addresses in one form; what reaches the connector is what the parser made of them.
      const { hostname } = new URL(`${protocol}//${host}:${port}`);
      expect(await connect(protocol, hostname, port)).toBe('ForbiddenAddressError');
      expect(connections).toBe(0);
    });

    test('refuses a name when any of its addresses is forbidden', async () => {
      const resolve: ResolveAll = (_name, _options, done) =>
        done(null, [
          { address: '20.60.1.1', family: 4 },
          { address: '10.0.0.1', family: 4 },
        ]);
      expect(await connect(protocol, 'pictures.blob.core.windows.net', 443, resolve)).toBe('ForbiddenAddressError');
    });

    test('refuses a name without addresses', async () => {
      const resolve: ResolveAll = (_name, _options, done) => done(null, []);
      expect(await connect(protocol, 'pictures.blob.core.windows.net', 443, resolve)).toBe('ForbiddenAddressError');
    });
  });

  /** What becomes of a connection to a name that stands for these addresses, where nothing is forbidden. */
  const connectTo = (port: number, resolve: ResolveAll) =>
    new Promise((settle) => {
      const options = { protocol: 'http:', hostname: 'pictures.example', host: 'pictures.example', port: String(port) };
      guardedConnector(() => false, resolve)(options as never, (...[error, socket]) => {
        socket?.destroy();
        settle(error === null ? 'connected' : (error as NodeJS.ErrnoException).code);
      });
    });
  const loopback: ResolveAll = (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);

  test.each([true, false])(
    'dials what was looked up, whether Node asks for one address or for all: %s',
    async (all) => {
      const usual = net.getDefaultAutoSelectFamily();
      net.setDefaultAutoSelectFamily(all);
      onTestFinished(() => net.setDefaultAutoSelectFamily(usual));
      expect(await connectTo(await serveRaw(() => {}), loopback)).toBe('connected');
    },
  );

  test('tells why a name was not found', async () => {
    const resolve: ResolveAll = (_name, _options, done) => done(Object.assign(new Error(), { code: 'ENOTFOUND' }), []);
    expect(await connectTo(443, resolve)).toBe('ENOTFOUND');
  });

  test('tells why nobody could be reached', async () => {
    expect(await connectTo(await refusedPort(), loopback)).toBe('ECONNREFUSED');
  });

  test('looks at the connected peer once more', async () => {
    const port = await serveHttp(() => {});
    let looks = 0;
    const lenientOnce = () => ++looks > 1;
    const outcome = await new Promise((settle) => {
      const options = { protocol: 'http:', hostname: '127.0.0.1', host: '127.0.0.1', port: String(port) };
      guardedConnector(lenientOnce)(options as never, (...[error]) => settle(error?.name));
    });
    expect(outcome).toBe('ForbiddenAddressError');
  });
});
