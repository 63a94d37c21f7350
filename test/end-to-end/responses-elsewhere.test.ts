import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { respond, stored } from './call-responses.ts';
import { openFiles, pngImage } from './edits.ts';
import { tinyPng } from './rig.ts';

type Received = { readonly method: string; readonly url: string; readonly text: string };

/** Azure, which has chat models and image models: what it has received, and a gateway in front of it. */
async function startElsewhere(more: object = {}) {
  const received: Received[] = [];
  // An upload that the gateway breaks off is of no interest.
  const azure = createServer((request, response) => void collect(request, response).catch(() => {}));
  const collect = async (request: IncomingMessage, response: ServerResponse) => {
    const text = Buffer.concat(await Array.fromAsync(request)).toString();
    received.push({ method: request.method ?? '', url: request.url ?? '', text });
    response.setHeader('content-type', 'application/json');
    if (request.url?.includes('/images/')) response.end(JSON.stringify({ data: [{ b64_json: tinyPng }] }));
    else
      response.end(
        JSON.stringify({ id: 'resp_azure', deployment: request.headers['x-ms-oai-image-generation-deployment'] }),
      );
  };
  await once(azure.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void azure.close());
  const target = { baseURL: `http://127.0.0.1:${(azure.address() as AddressInfo).port}`, apiKey: 'azure-key' };
  const poster = { ...target, provider: 'azure-v1', model: 'gpt-image-2', deployment: 'img-east', maxRetries: 0 };
  const uploads = await temporaryDirectory();
  const file = { models: { poster }, responses: { target, imageModel: 'poster' }, ...more };
  const { url } = await startGateway(file, { dataDir: await temporaryDirectory(), uploads });
  return { url, received, uploads };
}

const chat = { model: 'gpt-5.5', input: 'Draw a cat.', tools: [{ type: 'function', name: 'f' }] };

describe('a request for a model that is none of ours', () => {
  test('is forwarded byte for byte, with the deployment of the image tool', async () => {
    const { url, received } = await startElsewhere();
    const text = '{ "input": [{"type":"film"}], "tools":[{"type":"function"}],\n "model":"gpt-5.5", "x": 1.0 }';
    const { status, body } = await respond(url, text);
    expect([status, body()]).toEqual([200, { id: 'resp_azure', deployment: 'img-east' }]);
    expect(received).toEqual([{ method: 'POST', url: '/openai/v1/responses', text }]);
  });

  test('is forwarded whole when megabytes come before the model, and leaves no file', async () => {
    const { url, received, uploads } = await startElsewhere();
    const image = `data:image/png;base64,${Buffer.concat([await pngImage(), randomBytes(5_000_000)]).toString('base64')}`;
    const content = [{ type: 'input_image', image_url: image }];
    const text = JSON.stringify({ input: [{ role: 'user', content }], model: 'gpt-5.5', metadata: { a: 'b' } });
    expect((await respond(url, text)).status).toBe(200);
    expect(received[0]?.text === text).toBe(true);
    expect(await openFiles(uploads)).toEqual([]);
  });

  test('that is longer than uploads may be is refused', async () => {
    const { url } = await startElsewhere({ limits: { uploadBytes: 1_000_000 } });
    const text = JSON.stringify({ model: 'gpt-5.5', input: 'x'.repeat(1_100_000) });
    expect((await respond(url, text)).status).toBe(413);
    const chunks = [Buffer.from(text.slice(0, 100_000)), Buffer.from(text.slice(100_000))];
    const response = await fetch(`${url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gatewayKey}`, 'content-type': 'application/json' },
      body: new ReadableStream({
        start(controller) {
          for (const chunk of chunks) controller.enqueue(chunk);
          controller.close();
        },
      }),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
  });

  test('is refused where nothing is forwarded', async () => {
    const { url, received } = await startElsewhere({ responses: undefined });
    const { status, body } = await respond(url, chat);
    expect([status, body().error?.param]).toEqual([400, 'tools']);
    const unknown = await respond(url, { model: 'gpt-5.5', input: 'a' });
    expect([unknown.status, unknown.body().error?.code]).toEqual([404, 'model_not_found']);
    expect(received).toEqual([]);
  });
});

test.each<[string, object, string]>([
  ['its model is ours', { model: 'poster', input: 'a cat' }, '/v1/responses'],
  ['an agent comes first', { agent_reference: { name: 'poster' }, model: 'gpt-5.5', input: 'a cat' }, '/v1/responses'],
  ['it names no model', { tools: [{ type: 'image_generation', model: 'poster' }], input: 'a cat' }, '/v1/responses'],
  ['its path names one', { model: 'gpt-5.5', input: 'a cat' }, '/m/poster/v1/responses'],
])('a request is ours where %s', async (_, asked, path) => {
  const { url, received } = await startElsewhere();
  const { status, body } = await respond(url, asked, { path });
  expect([status, body().output[0]?.result]).toEqual([200, tinyPng]);
  expect(received.map(({ url: at }) => at)).toEqual(['/openai/v1/images/generations']);
});

test('responses that are none of ours are looked for elsewhere, and ours are not', async () => {
  const { url, received } = await startElsewhere();
  const ours = (await respond(url, { model: 'poster', input: 'a cat' })).body();
  received.length = 0;
  for (const [path, method] of [
    ['resp_azure?stream=true&starting_after=3', 'GET'],
    ['resp_azure/input_items?limit=5', 'GET'],
    ['resp_azure/cancel', 'POST'],
    ['compact', 'POST'],
    ['resp_azure', 'DELETE'],
  ] as const) {
    expect([path, (await stored(url, path, { method })).status]).toEqual([path, 200]);
    expect(received.at(-1)).toMatchObject({ method, url: `/openai/v1/responses/${path}` });
  }
  const before = received.length;
  expect((await stored(url, ours.id)).body()).toEqual(ours);
  expect((await stored(url, `${ours.id}/input_items`)).status).toBe(404);
  expect((await stored(url, ours.id, { method: 'DELETE' })).status).toBe(200);
  expect(received.length).toBe(before);
});
