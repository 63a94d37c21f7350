import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayError } from '../../src/domain/gateway-error.ts';
import type { Attempt } from '../../src/domain/image-provider.ts';
import { Secret } from '../../src/domain/secret.ts';
import { createUpstreamClient, jsonBody } from '../../src/upstream/client.ts';
import { keyCredential } from '../../src/upstream/credential.ts';
import { refusedPort, serveHttp, serveRaw } from '../helpers/loopback-server.ts';
import { providerCall } from '../helpers/provider-call.ts';

/** A paid POST, and what it left behind: the mark, and how it ended. */
async function post(url: string, signal = new AbortController().signal, client = createUpstreamClient()) {
  onTestFinished(() => client.close());
  const attempt: Attempt = { sent: false };
  const request = { credential: keyCredential(new Secret('key')), body: jsonBody({}) };
  try {
    const { status } = await client.post(new URL(url), request, providerCall({ signal, attempt }));
    return { sent: attempt.sent, status };
  } catch (error) {
    return { sent: attempt.sent, kind: (error as GatewayError).kind, outcome: (error as GatewayError).outcome };
  }
}

const notSent = { sent: false, kind: 'upstream_unavailable', outcome: 'not-processed' };
const unknown = { sent: true, kind: 'upstream_outcome_unknown', outcome: 'unknown' };

describe('a paid POST', () => {
  test('to a server that answers was sent', async () => {
    const port = await serveHttp((_request, response) => response.end('{}'));
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ sent: true, status: 200 });
  });

  test('to a client that was closed was not sent, even where it has never been', async () => {
    const port = await serveHttp((_request, response) => response.end('{}'));
    const client = createUpstreamClient();
    await client.close();
    expect(await post(`http://127.0.0.1:${port}/`, undefined, client)).toEqual(notSent);
  });

  test('to a port that refuses was not sent', async () => {
    expect(await post(`http://127.0.0.1:${await refusedPort()}/`)).toEqual(notSent);
  });

  test('to a name that does not exist was not sent', async () => {
    expect(await post('http://no-such-host.invalid/')).toEqual(notSent);
  });

  test('to a server whose certificate nobody trusts was not sent', async () => {
    const port = await serveHttp((_request, response) => response.end('{}'), { secure: true });
    expect(await post(`https://localhost:${port}/`)).toEqual(notSent);
  });

  test('to a TLS port that closes at once was not sent', async () => {
    const port = await serveRaw((socket) => socket.destroy());
    expect(await post(`https://localhost:${port}/`)).toEqual(notSent);
  });

  test('to a plain port that closes at once counts as sent', async () => {
    const port = await serveRaw((socket) => socket.end());
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual(unknown);
  });

  test('that is reset after it was read was sent', async () => {
    const port = await serveRaw((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual(unknown);
  });

  test('whose signal is aborted already is not sent, and rejects with the reason', async () => {
    let requests = 0;
    const port = await serveHttp((_request, response) => {
      requests += 1;
      response.end();
    });
    const reason = Object.assign(new Error('reason'), { kind: 'reason' });
    expect(await post(`http://127.0.0.1:${port}/`, AbortSignal.abort(reason))).toMatchObject({ sent: false });
    expect(requests).toBe(0);
  });

  test('that is aborted while a silent TLS peer lets it wait settles at once, and was not sent', async () => {
    const abort = new AbortController();
    const port = await serveRaw(() => abort.abort(new Error('enough')));
    expect(await post(`https://localhost:${port}/`, abort.signal)).toEqual(notSent);
  });

  test('is not repeated, and its key goes nowhere else, when the answer is a redirect', async () => {
    const stranger: unknown[] = [];
    const other = await serveHttp((request, response) => {
      stranger.push(request.headers);
      response.end();
    });
    const port = await serveHttp((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${other}/` }).end();
    });
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ sent: true, status: 307 });
    expect(stranger).toEqual([]);
  });

  test('dials anew each time, and does not offer to keep the connection', async () => {
    const seen: unknown[] = [];
    const ports = new Set<number | undefined>();
    const port = await serveHttp((request, response) => {
      seen.push(request.headers.connection);
      ports.add(request.socket.remotePort);
      response.end('{}');
    });
    const client = createUpstreamClient();
    onTestFinished(() => client.close());
    for (let call = 0; call < 3; call += 1) {
      const request = { credential: keyCredential(new Secret('key')), body: jsonBody({}) };
      const { body } = await client.post(new URL(`http://127.0.0.1:${port}/`), request, providerCall());
      await Array.fromAsync(body);
    }
    expect(seen).toEqual(['close', 'close', 'close']);
    expect(ports.size).toBe(3);
  });

  test('is answered even with a header block that undici refuses by default', async () => {
    const port = await serveHttp((_request, response) => {
      response.writeHead(200, { 'x-long': 'x'.repeat(40_000) }).end('{}');
    });
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ sent: true, status: 200 });
  });
});
