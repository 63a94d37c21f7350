import { describe, expect, test } from 'vitest';
import type { EditInputs } from '../../src/domain/image-input.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import { tinyPng } from '../fixtures/pictures.ts';
import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';
import { gatewayKey, oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import { type Asked, azureOrigin, mockAzure } from './mock-azure.ts';
import {
  acceptResponse,
  agent,
  collect,
  foundryBackground,
  foundryTool,
  foundryToolWith,
  imageCall,
  imageDeployment,
  type ProviderUnderTest,
  rejection,
  responseOf,
  startCall,
} from './providers.ts';

const success = { body: responseOf([imageCall(tinyPng)]) };
const reference = `"agent_reference":{"type":"agent_reference","name":"${agent}"}`;
const forced = '"tool_choice":{"type":"image_generation"}';
const tool = (options: string) => `"tools":[{"type":"image_generation","model":"gpt-image-2"${options}}]`;

type Target = {
  readonly provider?: ProviderUnderTest;
  readonly target?: Record<string, unknown>;
  readonly path?: string;
};

/** The text of the paid call's body as it leaves, and the call itself. */
async function sent(
  body: Record<string, unknown>,
  { provider = foundryTool, target = {}, path = provider.paidPath }: Target = {},
): Promise<{ text: string; asked: Asked; called: Called; status: number }> {
  const azure = mockAzure();
  if (provider === foundryBackground) acceptResponse(azure, success);
  else azure.post(path, success);
  const gateway = await startGateway(oneTarget({ ...provider.target, ...target }));
  const called = await callGateway(gateway.url, { model: 'picture', prompt: 'a cat', ...body });
  const [asked] = azure.asked;
  if (asked === undefined) throw new Error(`nothing was sent: ${called.text}`);
  return { text: azure.texts[0] ?? '', asked, called, status: called.status };
}

/** A generation of the provider alone, of which the body is looked at. */
async function sentBy(
  provider: ProviderUnderTest,
  request: Partial<ImageRequest>,
): Promise<{ text: string | undefined; asked: Asked }> {
  const azure = mockAzure();
  azure.post(provider.paidPath, success);
  await collect(await startCall(provider, { request: { prompt: 'a cat', ...request } }).events);
  return { text: azure.texts[0], asked: azure.asked[0] as Asked };
}

describe('the body of a generation, byte for byte,', () => {
  test.each<[string, Record<string, unknown>, Target, string]>([
    ['of an agent', {}, {}, `{${reference},"input":"a cat",${forced}}`],
    [
      'of an agent with options of its tool',
      {
        size: '1536x1024',
        quality: 'high',
        background: 'opaque',
        output_format: 'jpeg',
        output_compression: 0,
        moderation: 'low',
      },
      {},
      `{${reference},"input":"a cat",${tool(
        ',"size":"1536x1024","quality":"high","background":"opaque","output_format":"jpeg","output_compression":0,"moderation":"low"',
      )},${forced}}`,
    ],
    [
      'of a version of an agent under the other key',
      {},
      { target: { agentKey: 'agent', agentVersion: '7' } },
      `{"agent":{"type":"agent_reference","name":"${agent}","version":"7"},"input":"a cat",${forced}}`,
    ],
    [
      'of a chat deployment, which is given the tool',
      {},
      { target: { agent: undefined, chatDeployment: 'chat' } },
      `{"model":"chat","input":"a cat",${tool('')},${forced}}`,
    ],
    [
      'of a chat deployment with options',
      { quality: 'low' },
      { target: { agent: undefined, chatDeployment: 'chat', model: 'gpt-image-1' } },
      `{"model":"chat","input":"a cat","tools":[{"type":"image_generation","model":"gpt-image-1","quality":"low"}],${forced}}`,
    ],
    [
      'in the background',
      {},
      { provider: foundryBackground },
      `{${reference},"input":"a cat",${forced},"background":true}`,
    ],
    [
      'for a user, who is named to the model and not to the tool',
      { user: 'user-1', safety_identifier: 'safe-1' },
      {},
      `{${reference},"input":"a cat",${forced},"user":"user-1","safety_identifier":"safe-1"}`,
    ],
    [
      'with nulls, n=1 and what is the default anyway',
      { n: 1, size: null, quality: null, user: null, stream: false, response_format: 'b64_json', partial_images: 0 },
      {},
      `{${reference},"input":"a cat",${forced}}`,
    ],
    [
      'with further parameters of the tool',
      { complexity: 'high', svg: { compact: false } },
      {},
      `{${reference},"input":"a cat",${tool(',"complexity":"high","svg":{"compact":false}')},${forced}}`,
    ],
    [
      'of a model whose policy is pass: everything is forwarded, also what the tool does not know',
      { n: 3, style: 'vivid', response_format: 'b64_json', size: '1x1' },
      { target: { parameters: 'pass' } },
      `{${reference},"input":"a cat",${tool(',"size":"1x1","n":3,"style":"vivid","response_format":"b64_json"')},${forced}}`,
    ],
    [
      'with any characters in its prompt',
      { prompt: '"Kätzchen"\n🐱\u2028' },
      {},
      `{${reference},"input":"\\"Kätzchen\\"\\n🐱\u2028",${forced}}`,
    ],
  ])('%s', async (_name, body, target, expected) => {
    const { text, asked, status } = await sent(body, target);
    expect(text).toBe(expected);
    expect(asked.headers['content-length']).toBe(String(Buffer.byteLength(expected)));
    expect(asked.headers['x-ms-oai-image-generation-deployment']).toBe(imageDeployment);
    expect(status).toBe(200);
  });

  test('with previews of a stream', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success);
    const gateway = await startGateway(oneTarget({ ...foundryTool.target, capabilities: { streams: true } }));
    await callGateway(gateway.url, { model: 'picture', prompt: 'a cat', stream: true, partial_images: 2 });
    expect(azure.texts[0]).toBe(
      `{${reference},"input":"a cat",${tool(',"partial_images":2')},${forced},"stream":true}`,
    );
  });

  test('of a stream without previews', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success);
    const gateway = await startGateway(oneTarget({ ...foundryTool.target, capabilities: { streams: true } }));
    await callGateway(gateway.url, { model: 'picture', prompt: 'a cat', stream: true });
    expect(azure.texts[0]).toBe(`{${reference},"input":"a cat",${forced},"stream":true}`);
  });

  test('asked for as a stream by the operator, for a caller that wants none', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success);
    const target = { ...foundryTool.target, capabilities: { streams: true }, upstreamStream: 'always' };
    const gateway = await startGateway(oneTarget(target));
    const called = await callGateway(gateway.url, { model: 'picture', prompt: 'a cat' });
    expect(azure.texts[0]).toBe(
      `{${reference},"input":"a cat",${tool(',"partial_images":1')},${forced},"stream":true}`,
    );
    expect(called.json().data).toEqual([{ b64_json: tinyPng }]);
  });
});

describe('the body of an edit, byte for byte,', () => {
  const png = Buffer.from(tinyPng, 'base64');
  const jpeg = Buffer.alloc(70_001, 7);
  const url = (bytes: Buffer, type = 'png') => `data:image/${type};base64,${bytes.toString('base64')}`;
  const message = (...urls: string[]) =>
    `"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a cat"},${urls
      .map((one) => `{"type":"input_image","image_url":"${one}"}`)
      .join(',')}]}]`;

  test.each<[string, EditInputs, Partial<ImageRequest>, string]>([
    [
      'with one image',
      editInputs([imageInput(png)]),
      {},
      `{${reference},${message(url(png))},${tool(',"action":"edit"')},${forced}}`,
    ],
    [
      'with several images, in their order, a mask and options',
      editInputs([imageInput(jpeg, { mediaType: 'image/jpeg' }), imageInput(png)], {
        mask: imageInput(Buffer.from('mask')),
      }),
      { size: '1024x1024', inputFidelity: 'high', user: 'user-1' },
      `{${reference},${message(url(jpeg, 'jpeg'), url(png))},${tool(
        `,"size":"1024x1024","input_fidelity":"high","action":"edit","input_image_mask":{"image_url":"${url(Buffer.from('mask'))}"}`,
      )},${forced},"user":"user-1"}`,
    ],
  ])('%s', async (_name, edit, request, expected) => {
    const { asked, text } = await sentBy(foundryTool, { ...request, edit });
    expect(text).toBe(expected);
    expect(asked.headers['content-length']).toBe(String(Buffer.byteLength(expected)));
    expect(asked.headers['content-type']).toBe('application/json');
  });

  async function callEdits(target: Record<string, unknown>, files: Record<string, Buffer>) {
    const gateway = await startGateway(oneTarget({ ...foundryTool.target, ...target }));
    const parts = Object.entries(files).map(([name, bytes]) => ({ name, bytes, filename: 'a.png', type: 'image/png' }));
    const answer = await fetch(`${gateway.url}/v1/images/edits`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gatewayKey}`, ...formHeaders },
      body: new Uint8Array(writeForm([...fields({ model: 'picture', prompt: 'a cat' }), ...parts])),
    });
    return { status: answer.status, body: (await answer.json()) as { data: unknown; error: { param: unknown } } };
  }

  test('of a caller: its picture, and nothing of its file name', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success);
    const { status, body } = await callEdits({}, { image: png, mask: png });
    expect([status, body.data]).toEqual([200, [{ b64_json: tinyPng }]]);
    expect(azure.texts[0]).toBe(
      `{${reference},${message(url(png))},${tool(
        `,"action":"edit","input_image_mask":{"image_url":"${url(png)}"}`,
      )},${forced}}`,
    );
  });

  test.each([
    ['image', 'image'],
    ['mask', 'mask'],
  ])('is never sent when a data URL would be too long: a 400 that names %s', async (large, param) => {
    const azure = mockAzure();
    // Behind its end a PNG may hold anything.
    const files = { image: png, mask: png, [large]: Buffer.concat([png, Buffer.alloc(2_000)]) };
    const { status, body } = await callEdits({ maxInlineImageChars: 1_000 }, files);
    expect([status, body.error]).toEqual([
      400,
      {
        message: `'${param}' is too large: this model takes pictures of at most about 750 bytes.`,
        type: 'invalid_request_error',
        param,
        code: 'invalid_value',
      },
    ]);
    expect(azure.asked).toEqual([]);
  });
});

describe('the address', () => {
  test.each<[string, Record<string, unknown>, string]>([
    [
      'with an api-version',
      { apiVersion: '2025-11-15-preview' },
      '/api/projects/project-canary/openai/responses?api-version=2025-11-15-preview',
    ],
    [
      'of a chat deployment in a resource without a project',
      { baseURL: azureOrigin, agent: undefined, chatDeployment: 'chat' },
      '/openai/v1/responses',
    ],
    [
      'whose base URL says more than it must',
      { baseURL: `${azureOrigin}/api/projects/p/openai/v1/` },
      '/api/projects/p/openai/v1/responses',
    ],
  ])('%s', async (_name, target, path) => {
    const { asked, status } = await sent({}, { target, path });
    expect([asked.path, status]).toEqual([path, 200]);
  });

  test('of a job in the background and of its end have the api-version, too', async () => {
    const azure = mockAzure();
    const base = '/api/projects/project-canary/openai/responses';
    const headers = { 'retry-after-ms': '1' };
    azure.post(`${base}?api-version=v1`, { headers, body: responseOf([], { id: 'resp_1', status: 'queued' }) });
    azure.get(`${base}/resp_1?api-version=v1`, { body: responseOf([], { id: 'resp_1', status: 'in_progress' }) });
    azure.post(`${base}/resp_1/cancel?api-version=v1`, { body: {} });
    const abort = new AbortController();
    const provider = foundryToolWith({ apiVersion: 'v1', isBackground: true });
    const { events } = startCall(provider, { signal: abort.signal });
    await expect.poll(() => azure.asked.length).toBe(2);
    abort.abort(new Error('enough'));
    await rejection(events);
    await expect.poll(() => azure.asked.length).toBe(3);
    expect(azure.asked.map(({ method, headers }) => [method, headers['api-key']])).toEqual([
      ['POST', 'upstream-key-canary'],
      ['GET', 'upstream-key-canary'],
      ['POST', 'upstream-key-canary'],
    ]);
  });
});

describe('what the tool has no words for', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['previews without a stream', { partial_images: 1 }, 'partial_images'],
    ['a parameter that the tool is not known to have', { flag: false }, 'flag'],
    ['an action of the tool', { action: 'generate' }, 'action'],
    ['a picture of the tool', { input_image_mask: { image_url: 'https://elsewhere.example' } }, 'input_image_mask'],
    ['another tool in the place of the image tool', { type: 'mcp', server_url: 'https://elsewhere.example' }, 'type'],
  ])('%s: 400 that names the parameter, and no call', async (_name, body, param) => {
    const azure = mockAzure();
    for (const parameters of param === 'type' ? ['adapt', 'strict', 'pass'] : ['adapt']) {
      const gateway = await startGateway(oneTarget({ ...foundryTool.target, parameters }));
      const called = await callGateway(gateway.url, { model: 'picture', prompt: 'a cat', ...body });
      expect([called.status, called.json().error.param]).toEqual([400, param]);
    }
    expect(azure.asked).toEqual([]);
  });

  test.each([foundryTool, foundryBackground])(
    'a stream, at $name: the caller gets one, of one JSON answer',
    async (provider) => {
      const { text, called } = await sent({ stream: true, partial_images: 2 }, { provider });
      expect(JSON.parse(text)).not.toHaveProperty('stream');
      expect(text).not.toContain('partial_images');
      expect(called.headers.get('content-type')).toMatch(/^text\/event-stream/);
      expect(called.text).toMatch(/^event: image_generation\.completed\n/);
      expect(called.text).toContain(tinyPng);
      expect(called.text).not.toContain('usage');
    },
  );
});

test('a stream, where everything is forwarded, needs no job in the background, and is read as the stream that it is', async () => {
  const azure = mockAzure();
  const text = `data: ${JSON.stringify({ type: 'response.completed', response: responseOf([imageCall(tinyPng)]) })}\n\n`;
  azure.post(foundryBackground.paidPath, { body: text, headers: { 'content-type': 'text/event-stream' } });
  const call = startCall(foundryBackground, { request: { stream: true } });
  expect(await collect(await call.events)).toContainEqual({ type: 'bytes', base64: tinyPng });
  expect(JSON.parse(azure.texts[0] ?? '')).not.toHaveProperty('background');
});
