import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { otherPng, tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { serveRaw } from '../helpers/loopback-server.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { everyProvider, soon } from './hostile-azure.ts';

// An answer that nobody has asked for is not given to whoever asks next.

function http(status: string, body: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n${lines.join('')}\r\n${body}`;
}

const image = (base64: string) => JSON.stringify({ created: 1, data: [{ b64_json: base64 }] });

describe('a second answer on a connection', () => {
  test.each(['at once', 'a moment later'])('of a paid call (%s) reaches nobody', async (when) => {
    let calls = 0;
    const port = await serveRaw((socket) => {
      socket.once('data', () => {
        calls += 1;
        const unasked = http('200 OK', image(otherPng));
        socket.write(http('200 OK', image(tinyPng)) + (when === 'at once' ? unasked : ''));
        if (when !== 'at once') setImmediate(() => socket.write(unasked));
      });
    });
    const { url } = await startGateway(everyProvider(`http://127.0.0.1:${port}`));
    for (let call = 0; call < 5; call += 1) {
      const answer = await callGateway(url, { model: 'v1', prompt: `canary ${call}` });
      expect([answer.status, answer.json().data[0]?.b64_json]).toEqual([200, tinyPng]);
    }
    expect(calls).toBe(5);
  });

  test('of a poll does not become the image of another caller', async () => {
    const ended = (link: string) =>
      JSON.stringify({ status: 'succeeded', result: { created: 1, data: [{ url: link }] } });
    let polls = 0;
    const answer = (socket: Socket, request: string): void => {
      const origin = `http://127.0.0.1:${port}`;
      if (request.startsWith('POST')) {
        const operation = `${origin}/openai/operations/images/1`;
        socket.write(http('202 Accepted', '{}', { 'operation-location': operation, ...soon }));
        return;
      }
      polls += 1;
      socket.write(http('200 OK', ended(`${origin}/own.png`)) + http('200 OK', ended(`${origin}/foreign.png`)));
    };
    const port: number = await serveRaw(
      (socket) => void socket.on('data', (chunk) => answer(socket, chunk.toString())),
    );
    const { url } = await startGateway(everyProvider(`http://127.0.0.1:${port}`));
    for (let call = 0; call < 5; call += 1) {
      const { status, json } = await callGateway(url, { model: 'async', prompt: `canary ${call}` });
      expect([status, json().data[0]?.url]).toEqual([200, `http://127.0.0.1:${port}/own.png`]);
    }
    expect(polls).toBe(5);
  });
});
