import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { Call } from './call.ts';

const agent = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

const endOfEvent = '\n\n';

/** One call: when its first event and its last byte came, in milliseconds. Rejects where the response is not the expected one. */
export function makeCall(call: Call): Promise<{ first: number; whole: number }> {
  const { url, headers, body, minBytes, isKeyed } = call;
  const key = isKeyed && { 'idempotency-key': randomUUID() };
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const request = http.request(
      url,
      { method: 'POST', agent, headers: { ...headers, ...key, ...length } },
      (response) => {
        let bytes = 0;
        let first: number | undefined;
        const isStream = String(response.headers['content-type']).startsWith('text/event-stream');
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (isStream && first === undefined && chunk.includes(endOfEvent)) first = performance.now() - begin;
        });
        response.on('end', () => {
          const whole = performance.now() - begin;
          if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
          else if (bytes < minBytes) reject(new Error(`only ${bytes} bytes`));
          else resolve({ first: first ?? whole, whole });
        });
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
