import type { ServerResponse } from 'node:http';
import net from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { writeBody } from '../../src/http/send-body.ts';
import { serveHttp } from '../helpers/loopback-server.ts';

/** A server that answers by `writeBody`, and a raw client that reads only when it is told to. */
async function answering(
  chunks: () => AsyncIterable<Buffer | string>,
  { stallMs, signal = new AbortController().signal }: { stallMs?: number; signal?: AbortSignal } = {},
) {
  const written = { bytesOut: 0 };
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const port = await serveHttp((_request, response: ServerResponse) => {
    response.on('error', () => {});
    begun.resolve();
    writeBody(response, chunks(), { written, signal, ...(stallMs && { stallMs }) }).then(
      () => ended.resolve('written'),
      (error: Error) => ended.resolve(error.name === 'Error' ? error.message : error.name),
    );
  });
  const client = net.connect(port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void client.destroy());
  client.pause();
  client.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  await begun.promise;
  return { written, client, ended: ended.promise };
}

async function* megabytes(count: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at += 1) yield Buffer.alloc(1024 * 1024, 'x');
}

describe('writeBody', () => {
  test('writes everything, and counts the bytes', async () => {
    const { written, client, ended } = await answering(() => megabytes(3));
    client.resume();
    expect(await ended).toBe('written');
    expect(written.bytesOut).toBe(3 * 1024 * 1024);
  });

  test('gives up on a reader that takes nothing, and asks for no more chunks meanwhile', async () => {
    const { written, ended } = await answering(() => megabytes(500), { stallMs: 300 });
    expect(await ended).toBe('StalledClientError');
    expect(written.bytesOut).toBeLessThan(50 * 1024 * 1024);
  });

  test('notices a reader that leaves, while it waits for room', async () => {
    const { client, ended } = await answering(() => megabytes(500));
    client.destroy();
    expect(await ended).toBe('ClosedConnectionError');
  });

  test('ends with the signal’s reason, even while its reader takes nothing', async () => {
    const abort = new AbortController();
    const { ended } = await answering(() => megabytes(500), { signal: abort.signal });
    abort.abort(new Error('the deadline'));
    expect(await ended).toBe('the deadline');
  });

  test('lets the source clean up when the reader leaves', async () => {
    let isClosed = false;
    async function* source() {
      try {
        yield* megabytes(500);
      } finally {
        isClosed = true;
      }
    }
    const { client, ended } = await answering(source);
    client.destroy();
    await ended;
    expect(isClosed).toBe(true);
  });

  test('rejects with what the source throws', async () => {
    async function* broken() {
      yield 'x';
      throw new Error('broken');
    }
    const { client, ended } = await answering(broken);
    client.resume();
    expect(await ended).toBe('broken');
  });
});
