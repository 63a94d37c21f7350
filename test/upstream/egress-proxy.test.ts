import { buildConnector } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type EgressProxy, EgressProxyError, egressProxyHint } from '../../src/domain/egress-proxy.ts';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { Attempt } from '../../src/domain/image-provider.ts';
import { Secret } from '../../src/domain/secret.ts';
import { createUpstreamClient, jsonBody, type UpstreamTimes } from '../../src/upstream/client.ts';
import { keyCredential } from '../../src/upstream/credential.ts';
import { openTunnel } from '../../src/upstream/egress-connector.ts';
import { createImageDownloads } from '../../src/upstream/guarded-download.ts';
import '../faults/trust.ts';
import { type ConnectProxy, startConnectProxy } from '../helpers/connect-proxy.ts';
import { refusedPort, serveHttp, serveRaw } from '../helpers/loopback-server.ts';
import { providerCall } from '../helpers/provider-call.ts';

const key = 'azure-key-canary';
const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(100_000, 7)]);

function clientThrough(proxy: EgressProxy, times: Partial<UpstreamTimes> = {}) {
  const client = createUpstreamClient(times, proxy);
  onTestFinished(() => client.close());
  return client;
}

/** A paid POST through a proxy: what it gave, and the mark. */
async function post(url: string, proxy: EgressProxy, times: Partial<UpstreamTimes> = {}) {
  const attempt: Attempt = { sent: false };
  const request = { credential: keyCredential(new Secret(key)), body: jsonBody({}) };
  try {
    const { status, body } = await clientThrough(proxy, times).post(new URL(url), request, providerCall({ attempt }));
    await Array.fromAsync(body);
    return { sent: attempt.sent, status };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const { kind, outcome, message, cause } = error;
    return { sent: attempt.sent, kind, outcome, message, code: (cause as EgressProxyError).code, cause };
  }
}

/** An upstream by https that notes what it is asked. */
async function upstream() {
  const seen: {
    readonly method: string | undefined;
    readonly headers: Record<string, unknown>;
    readonly port: unknown;
  }[] = [];
  const port = await serveHttp(
    (request, response) => {
      seen.push({ method: request.method, headers: request.headers, port: request.socket.remotePort });
      response.end('{}');
    },
    { secure: true },
  );
  return { authority: `localhost:${port}`, url: `https://localhost:${port}/openai/x`, seen };
}

const authorities = ({ requests }: ConnectProxy) => requests.map(({ authority }) => authority);

describe('a paid POST through an egress proxy', () => {
  test.each([false, true])(
    'goes by a tunnel in which the proxy sees neither key nor path (TLS to it: %s)',
    async (secure) => {
      const { url, authority, seen } = await upstream();
      const proxy = await startConnectProxy({ secure });
      expect(await post(url, proxy)).toEqual({ sent: true, status: 200 });
      expect(authorities(proxy)).toEqual([authority]);
      expect(seen).toMatchObject([{ method: 'POST', headers: { 'api-key': key, connection: 'close' } }]);
      expect(Object.keys(seen[0]?.headers ?? {})).not.toContain('proxy-authorization');
      expect(proxy.bytes().length).toBeGreaterThan(100);
      expect(`${proxy.bytes()}${JSON.stringify(proxy.requests)}`).not.toMatch(/azure-key-canary|openai\/x/);
    },
  );

  test('opens a tunnel of its own each time', async () => {
    const { url, seen } = await upstream();
    const proxy = await startConnectProxy();
    const client = clientThrough(proxy);
    for (let call = 0; call < 3; call += 1) {
      const request = { credential: keyCredential(new Secret(key)), body: jsonBody({}) };
      const { body } = await client.post(new URL(url), request, providerCall());
      await Array.fromAsync(body);
    }
    expect(proxy.requests).toHaveLength(3);
    expect(new Set(seen.map(({ port }) => port)).size).toBe(3);
  });

  test('shows the proxy its credentials, and only the proxy', async () => {
    const { url, seen } = await upstream();
    const authorization = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
    const { origin, requests } = await startConnectProxy({ authorization });
    expect(await post(url, { origin, credentials: new Secret('me:p@ss') })).toEqual({ sent: true, status: 200 });
    expect(requests).toMatchObject([{ headers: { 'proxy-authorization': authorization } }]);
    expect(JSON.stringify(requests)).not.toContain(key);
    expect(JSON.stringify(seen)).not.toContain('proxy-authorization');
  });

  test.each([407, 403, 405, 502, 503])('that the proxy refuses with %s was not sent', async (refusal) => {
    const { url, seen } = await upstream();
    const outcome = await post(url, await startConnectProxy({ refusal }));
    expect(outcome).toMatchObject({
      sent: false,
      kind: 'upstream_unavailable',
      outcome: 'not-processed',
      code: String(refusal),
    });
    expect(outcome.message).toMatch(/proxy.*Nothing was sent to it and nothing was billed/);
    expect(seen).toEqual([]);
  });

  test('that no proxy takes, or only an upstream that refuses, was not sent', async () => {
    const { url } = await upstream();
    const nobody = { origin: `http://127.0.0.1:${await refusedPort()}` };
    expect(await post(url, nobody)).toMatchObject({ sent: false, outcome: 'not-processed', code: 'ECONNREFUSED' });
    const reset = await startConnectProxy({ refusal: 'reset' });
    expect(await post(url, reset)).toMatchObject({ sent: false, outcome: 'not-processed', code: 'ECONNRESET' });
  });

  test('whose proxy is silent ends within the limit for connecting, and was not sent', async () => {
    const { url } = await upstream();
    const proxy = await startConnectProxy({ refusal: 'silence' });
    expect(await post(url, proxy, { connectMs: 50 })).toMatchObject({ sent: false, code: 'ETIMEDOUT' });
  });

  test('whose upstream is silent behind the tunnel ends within the same limit', async () => {
    const port = await serveRaw(() => {});
    const proxy = await startConnectProxy();
    const outcome = await post(`https://localhost:${port}/`, proxy, { connectMs: 1_500 });
    expect(outcome).toMatchObject({ sent: false, kind: 'upstream_unavailable', outcome: 'not-processed' });
    expect(proxy.requests).toHaveLength(1);
  });

  test('may take longer than the limit for connecting once it is connected', async () => {
    const port = await serveHttp((_request, response) => void setTimeout(() => response.end('{}'), 2_500), {
      secure: true,
    });
    const proxy = await startConnectProxy();
    expect(await post(`https://localhost:${port}/`, proxy, { connectMs: 1_500 })).toEqual({ sent: true, status: 200 });
  });

  test('whose upstream closes the tunnel before there is TLS was not sent', async () => {
    const port = await serveRaw((socket) => socket.destroy());
    const outcome = await post(`https://localhost:${port}/`, await startConnectProxy());
    expect(outcome).toMatchObject({ sent: false, kind: 'upstream_unavailable', outcome: 'not-processed' });
  });

  test('whose upstream shows a certificate for another name was not sent', async () => {
    const { authority } = await upstream();
    const proxy = await startConnectProxy();
    const outcome = await post(`https://elsewhere.invalid:${authority.split(':')[1]}/`, proxy);
    expect(outcome).toMatchObject({ sent: false, outcome: 'not-processed' });
  });

  test('to a plain address is dialled directly: a proxy could read the key', async () => {
    const port = await serveHttp((_request, response) => response.end('{}'));
    const proxy = await startConnectProxy();
    expect(await post(`http://127.0.0.1:${port}/`, proxy)).toEqual({ sent: true, status: 200 });
    expect([proxy.requests, proxy.forwarded]).toEqual([[], []]);
  });

  test('is answered even with a header block that undici refuses by default', async () => {
    const port = await serveHttp(
      (_request, response) => {
        response.writeHead(200, { 'x-long': 'x'.repeat(40_000) }).end('{}');
      },
      { secure: true },
    );
    expect(await post(`https://localhost:${port}/`, await startConnectProxy())).toEqual({ sent: true, status: 200 });
  });
});

describe('other calls through an egress proxy', () => {
  test('polls and cancels go through it, too', async () => {
    const { url, authority, seen } = await upstream();
    const proxy = await startConnectProxy();
    const client = createUpstreamClient({}, proxy);
    const credential = keyCredential(new Secret(key));
    const { body } = await client.get(new URL(url), { credential, signal: new AbortController().signal });
    await Array.fromAsync(body);
    client.cancel(new URL(url), credential);
    await client.close();
    expect(seen.map(({ method }) => method)).toEqual(['GET', 'POST']);
    expect(new Set(authorities(proxy))).toEqual(new Set([authority]));
  });

  test('result images of configured origins and of blob hosts go through it, after the list of hosts', async () => {
    const port = await serveHttp((_request, response) => response.end(png), { secure: true });
    const proxy = await startConnectProxy();
    const images = createImageDownloads(undefined, proxy);
    onTestFinished(() => images.close());
    const download = images.allowing([`https://localhost:${port}`]);
    const { signal } = new AbortController();
    const { bytes } = await download(`https://localhost:${port}/a.png`, signal);
    expect(Buffer.concat(await Array.fromAsync(bytes))).toEqual(png);
    // Nobody answers under this name here; that the proxy was asked for it is what counts.
    const soon = performance.now() + 500;
    await expect(download('https://pictures.blob.core.windows.net/a.png', signal, soon)).rejects.toThrow(GatewayError);
    await expect(download('https://elsewhere.example/a.png', signal)).rejects.toThrow(GatewayError);
    expect(new Set(authorities(proxy))).toEqual(new Set([`localhost:${port}`, 'pictures.blob.core.windows.net:443']));
  });

  test('links that callers give never go through it: what it dials cannot be seen', async () => {
    const dialled: unknown[] = [];
    const proxy = await startConnectProxy();
    const images = createImageDownloads((options, done) => {
      dialled.push(options.hostname);
      buildConnector({})({ ...options, hostname: '127.0.0.1', port: '9' }, done);
    }, proxy);
    onTestFinished(() => images.close());
    const link = images.fromAnywhere('https://elsewhere.example/a.png', new AbortController().signal);
    await expect(link).rejects.toThrow(GatewayError);
    expect(new Set(dialled)).toEqual(new Set(['elsewhere.example']));
    expect(proxy.requests).toEqual([]);
  });
});

test('every way in which a proxy can fail has a hint of its own kind', () => {
  const codes = ['407', '403', '502', '405', 'ENOTFOUND', 'ETIMEDOUT', 'ECONNREFUSED'];
  expect(new Set(codes.map(egressProxyHint)).size).toBe(codes.length);
  expect(new EgressProxyError('407').message).not.toContain('http');
});

test('a proxy that speaks before TLS has begun is not the upstream', async () => {
  const early = 'HTTP/1.1 200 OK\r\n\r\nearly';
  const port = await serveRaw((socket) => void socket.once('data', () => socket.write(early)));
  const proxy = { origin: `http://127.0.0.1:${port}` };
  await expect(openTunnel(proxy, 'azure.example:443', AbortSignal.timeout(60_000))).rejects.toThrow(EgressProxyError);
});
