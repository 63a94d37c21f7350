import { Agent, request } from 'undici';
import { expect, onTestFinished } from 'vitest';
import { startUpstream, tinyPng } from '../end-to-end/rig.ts';
import { certificate } from '../helpers/loopback-server.ts';
import { startNginx } from '../helpers/nginx.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';

/** Azure as the test wants it: `azure` is called when a call has arrived. */
type Azure = Parameters<typeof startUpstream>[0];

/** A gateway behind nginx. Gives what calls it, as a client does, by TLS. */
async function behindNginx(recipe: string, azure: Azure, interimMs = 60_000) {
  const { origin } = await startUpstream(azure);
  const target = { provider: 'azure-v1', model: 'gpt-image-2', baseURL: origin, apiKey: 'k', maxRetries: 0 };
  const gateway = await startGateway({ models: { image: target } }, { times: { interimMs } });
  const front = await startNginx(recipe, gateway.url);
  const dispatcher = new Agent({ connect: { ca: certificate.cert }, headersTimeout: 0, bodyTimeout: 0 });
  onTestFinished(() => dispatcher.destroy());
  // The interim responses that come through.
  const interim: number[] = [];
  const call = (body: object, headers: Record<string, string> = {}) =>
    request(`${front}/v1/images/generations`, {
      dispatcher,
      onInfo: ({ statusCode }) => void interim.push(statusCode),
      method: 'POST',
      headers: { authorization: `Bearer ${gatewayKey}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: 'image', prompt: 'a cat', ...body }),
    });
  return { call, interim };
}

const image = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

/** The status of a JSON call whose Azure says nothing for so long. */
export async function silentCall(
  recipe: string,
  silentMs: number,
  headers: Record<string, string> = {},
  interimMs?: number,
) {
  const { call, interim } = await behindNginx(
    recipe,
    (_request, response) => {
      setTimeout(() => response.setHeader('content-type', 'application/json').end(image), silentMs);
    },
    interimMs,
  );
  const { statusCode, body } = await call({}, headers);
  return { status: statusCode, text: await body.text(), interim };
}

/** Checks that each event of a stream arrives before Azure has sent the next one. */
export async function expectUnbufferedStream(recipe: string): Promise<void> {
  const arrived = Promise.withResolvers<void>();
  let isSecondSent = false;
  const { call } = await behindNginx(recipe, async (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const event = { type: 'image_generation.partial_image', b64_json: tinyPng, partial_image_index: 0 };
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    // A front end that collects waits for this, and this for the front end: the test would never end.
    await arrived.promise;
    isSecondSent = true;
    const last = { type: 'image_generation.completed', b64_json: tinyPng };
    response.end(`event: ${last.type}\ndata: ${JSON.stringify(last)}\n\n`);
  });
  const { statusCode, headers, body } = await call({ stream: true, partial_images: 1 });
  expect([statusCode, headers['content-type']]).toEqual([200, expect.stringContaining('text/event-stream')]);
  const chunks = body[Symbol.asyncIterator]();
  const first = await chunks.next();
  expect([String(first.value).includes('partial_image'), isSecondSent]).toEqual([true, false]);
  arrived.resolve();
  const rest = Buffer.concat(await Array.fromAsync({ [Symbol.asyncIterator]: () => chunks })).toString();
  expect(rest).toContain('image_generation.completed');
}
