import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { generationsPath, modelsFile, startUpstream, tinyPng } from './rig.ts';

const call = (url: string, key: string, body: unknown) =>
  request(`${url}${generationsPath}`, {
    method: 'POST',
    headers: { 'api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

describe('an image that the upstream sends in two halves', () => {
  const firstHalf = `${tinyPng.slice(0, 88)}${'AAAA'.repeat(64 * 1024)}`;
  const secondHalf = 'BBBB'.repeat(64 * 1024);
  const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };

  test('the caller has all of the first half before the second one is sent', async () => {
    const seen = Promise.withResolvers<void>();
    const upstream = await startUpstream(async (_request, response) => {
      response.write(`{"created":7,"data":[{"b64_json":"${firstHalf}`);
      await seen.promise;
      response.end(`${secondHalf}"}],"usage":${JSON.stringify(usage)}}`);
    });
    const { url } = await startGateway(modelsFile(upstream.origin));
    const { statusCode, body } = await call(url, gatewayKey, { prompt: 'a cat' });
    expect(statusCode).toBe(200);
    let text = '';
    for await (const chunk of body) {
      text += chunk;
      if (text.includes(firstHalf)) seen.resolve();
    }
    expect(JSON.parse(text)).toEqual({
      created: 7,
      data: [{ b64_json: `${firstHalf}${secondHalf}` }],
      usage,
    });
  });

  test('a downloaded one comes as base64 just as early', async () => {
    const seen = Promise.withResolvers<void>();
    const [first, second] = [firstHalf, secondHalf].map((half) => Buffer.from(half, 'base64')) as [Buffer, Buffer];
    const upstream = await startUpstream(async ({ method, url, headers }, response) => {
      const origin = `http://${headers.host}`;
      if (method === 'POST') {
        const location = `${origin}/openai/operations/images/one?api-version=2023-06-01-preview`;
        response.writeHead(202, { 'operation-location': location, 'retry-after-ms': '5' }).end('{}');
      } else if (url?.startsWith('/openai/')) {
        response.end(JSON.stringify({ status: 'succeeded', result: { created: 7, data: [{ url: `${origin}/1` }] } }));
      } else {
        response.write(first);
        await seen.promise;
        response.end(second);
      }
    });
    const { url } = await startGateway(modelsFile(upstream.origin));
    const request = { model: 'dall-e-2', prompt: 'a cat', response_format: 'b64_json' };
    const { body } = await call(url, gatewayKey, request);
    let text = '';
    for await (const chunk of body) {
      text += chunk;
      // Up to two bytes wait for the third that base64 needs.
      if (text.length > first.length * (4 / 3)) seen.resolve();
    }
    expect(JSON.parse(text).data).toEqual([{ b64_json: Buffer.concat([first, second]).toString('base64') }]);
  });
});
