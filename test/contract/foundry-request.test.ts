import { describe, expect, test } from 'vitest';
import type { EditInputs } from '../../src/domain/image-input.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import { tinyPng } from '../fixtures/images.ts';
import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';
import { gatewayKey, oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import { azureOrigin, mockAzure, type ReceivedRequest } from './mock-azure.ts';
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
const chat = { agent: undefined, chatDeployment: 'chat' };
const chatTool = foundryToolWith({ chatDeployment: 'chat' });
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
): Promise<{ text: string; received: ReceivedRequest; called: Called; status: number }> {
  const azure = mockAzure();
  if (provider === foundryBackground) acceptResponse(azure, success);
  else azure.post(path, success);
  const gateway = await startGateway(oneTarget({ ...provider.target, ...target }));
  const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', ...body });
  const [received] = azure.requests;
  if (received === undefined) throw new Error(`nothing was sent: ${called.text}`);
  return { text: azure.texts[0] ?? '', received, called, status: called.status };
}

/** A generation of the provider alone, of which the body is looked at. */
async function sentBy(
  provider: ProviderUnderTest,
  request: Partial<ImageRequest>,
): Promise<{ text: string | undefined; received: ReceivedRequest }> {
  const azure = mockAzure();
  azure.post(provider.paidPath, success);
  await collect(await startCall(provider, { request: { prompt: 'a cat', ...request } }).events);
  return { text: azure.texts[0], received: azure.requests[0] as ReceivedRequest };
}

describe('the body of a generation, byte for byte,', () => {
  test.each<[string, Record<string, unknown>, Target, string]>([
    ['of an agent, whose definition holds everything else', {}, {}, `{${reference},"input":"a cat"}`],
    [
      'of a chat deployment with all options of its tool',
      {
        size: '1536x1024',
        quality: 'high',
        background: 'opaque',
        output_format: 'jpeg',
        output_compression: 0,
        moderation: 'low',
      },
      { target: chat },
      `{"model":"chat","input":"a cat",${tool(
        ',"size":"1536x1024","quality":"high","background":"opaque","output_format":"jpeg","output_compression":0,"moderation":"low"',
      )},${forced}}`,
    ],
    [
      'of a version of an agent',
      {},
      { target: { agentVersion: '7' } },
      `{"agent_reference":{"type":"agent_reference","name":"${agent}","version":"7"},"input":"a cat"}`,
    ],
    [
      'of a chat deployment, which is given the tool',
      {},
      { target: chat },
      `{"model":"chat","input":"a cat",${tool('')},${forced}}`,
    ],
    [
      'of a chat deployment with options',
      { quality: 'low' },
      { target: { ...chat, model: 'gpt-image-1' } },
      `{"model":"chat","input":"a cat","tools":[{"type":"image_generation","model":"gpt-image-1","quality":"low"}],${forced}}`,
    ],
    ['in the background', {}, { provider: foundryBackground }, `{${reference},"input":"a cat","background":true}`],
    [
      'for a user, who is named to the model and not to the tool',
      { user: 'user-1', safety_identifier: 'safe-1' },
      {},
      `{${reference},"input":"a cat","user":"user-1","safety_identifier":"safe-1"}`,
    ],
    [
      'with nulls, n=1 and what is the default anyway',
      { n: 1, size: null, quality: null, user: null, stream: false, response_format: 'b64_json', partial_images: 0 },
      {},
      `{${reference},"input":"a cat"}`,
    ],
    [
      'with further parameters of the tool',
      { complexity: 'high', svg: { compact: false } },
      { target: chat },
      `{"model":"chat","input":"a cat",${tool(',"complexity":"high","svg":{"compact":false}')},${forced}}`,
    ],
    [
      'of a model whose policy is pass: everything is forwarded, also what the tool does not know',
      { n: 3, style: 'vivid', response_format: 'b64_json', size: '1x1' },
      { target: { ...chat, parameters: 'pass' } },
      `{"model":"chat","input":"a cat",${tool(',"size":"1x1","n":3,"style":"vivid","response_format":"b64_json"')},${forced}}`,
    ],
    [
      'with any characters in its prompt',
      { prompt: '"Kätzchen"\n🐱\u2028' },
      {},
      `{${reference},"input":"\\"Kätzchen\\"\\n🐱\u2028"}`,
    ],
  ])('%s', async (_name, body, target, expected) => {
    const { text, received, status } = await sent(body, target);
    expect(text).toBe(expected);
    expect(received.headers['content-length']).toBe(String(Buffer.byteLength(expected)));
    expect(received.headers['x-ms-oai-image-generation-deployment']).toBe(imageDeployment);
    expect(status).toBe(200);
  });

  test.each<[string, Record<string, unknown>, number]>([
    ['with partial images of a stream', { partial_images: 2 }, 2],
    ['of a stream without partial images, which the tool refuses: one is requested, and dropped', {}, 1],
  ])('of a chat deployment %s', async (_name, requested, partials) => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success);
    const target = { ...foundryTool.target, ...chat, capabilities: { streams: true } };
    const gateway = await startGateway(oneTarget(target));
    await callGateway(gateway.url, { model: 'image', prompt: 'a cat', stream: true, ...requested });
    expect(azure.texts[0]).toBe(
      `{"model":"chat","input":"a cat",${tool(`,"partial_images":${partials}`)},${forced},"stream":true}`,
    );
  });

  test('of an agent that streams has a stream only for who wants partial images: its definition says how many', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success, success);
    const gateway = await startGateway(oneTarget({ ...foundryTool.target, capabilities: { streams: true } }));
    const send = (more: object) => callGateway(gateway.url, { model: 'image', prompt: 'a cat', stream: true, ...more });
    const adaptations = [await send({ partial_images: 2 }), await send({})].map(({ headers }) =>
      headers.get('x-gateway-adapted'),
    );
    expect(azure.texts).toEqual([`{${reference},"input":"a cat","stream":true}`, `{${reference},"input":"a cat"}`]);
    expect(adaptations).toEqual(['partial_images=agent', 'stream=completed-only']);
  });

  test('requested as a stream by the operator, for a caller that wants none', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success);
    const target = { ...foundryTool.target, ...chat, capabilities: { streams: true }, upstreamStream: 'always' };
    const gateway = await startGateway(oneTarget(target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect(azure.texts[0]).toBe(
      `{"model":"chat","input":"a cat",${tool(',"partial_images":1')},${forced},"stream":true}`,
    );
    expect(called.json().data).toEqual([{ b64_json: tinyPng }]);
  });
});

describe('what a caller requests of an agent', () => {
  const wishes = {
    size: '1536x1024',
    quality: 'high',
    background: 'opaque',
    output_format: 'jpeg',
    output_compression: 80,
    moderation: 'low',
    complexity: 'low',
    svg: { compact: false },
  };

  test.each(['adapt', 'pass'])('is passed to it in the prompt under %s, and reported', async (parameters) => {
    const { text, called } = await sent(wishes, { target: { parameters } });
    const words = [
      'The size of the image must be 1536x1024.',
      'The quality of the image must be high.',
      'The background of the image must be opaque.',
      'The file format of the image must be jpeg.',
      'The compression level of the image must be 80 percent.',
      'The moderation level must be low.',
      'The complexity of the image must be low.',
      'The SVG options must be {"compact":false}.',
    ].join(' ');
    expect(JSON.parse(text)).toEqual({
      agent_reference: { type: 'agent_reference', name: agent },
      input: `a cat\n\n${words}`,
    });
    const names = Object.keys(wishes).map((name) => `${name}=prompt`);
    expect(called.headers.get('x-gateway-adapted')?.split(/, ?/)).toEqual(names);
  });

  test.each(Object.entries(wishes))(
    'is refused under strict: %s is named, and that the agent decides',
    async (name, value) => {
      const azure = mockAzure();
      const gateway = await startGateway(oneTarget({ ...foundryTool.target, parameters: 'strict' }));
      // A level of compression needs a format that has one.
      const format = name === 'output_compression' ? { output_format: 'jpeg' } : {};
      const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', [name]: value, ...format });
      const { error } = called.json();
      const param = name === 'output_compression' ? 'output_format' : name;
      expect([called.status, error.code, error.param]).toEqual([400, 'unsupported_parameter', param]);
      expect(error.message).toBe(`'${param}' cannot be guaranteed for this model: its agent decides.`);
      expect(azure.requests).toEqual([]);
    },
  );

  test.each(['adapt', 'strict', 'pass'])('is not passed under %s where it changes nothing', async (parameters) => {
    const requested = {
      size: 'auto',
      quality: 'auto',
      background: 'auto',
      output_format: 'png',
      moderation: 'auto',
      complexity: 'auto',
    };
    const { text, called } = await sent(requested, { target: { parameters } });
    expect(JSON.parse(text).input).toBe('a cat');
    expect(called.headers.get('x-gateway-adapted')).toBeNull();
  });

  test('is passed to each of the calls that make several images', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success, success);
    const gateway = await startGateway(oneTarget(foundryTool.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', n: 2, quality: 'low' });
    const input = 'a cat\n\nThe quality of the image must be low.';
    expect(azure.texts.map((text) => JSON.parse(text).input)).toEqual([input, input]);
    expect(called.headers.get('x-gateway-adapted')?.split(/, ?/).sort()).toEqual(['n=fan-out', 'quality=prompt']);
  });

  test('is named as the operator’s mistake where Azure complains of the agent’s own tool', async () => {
    const azure = mockAzure();
    const error = {
      message: 'Invalid value',
      type: 'invalid_request_error',
      param: 'tools[0].size',
      code: 'invalid_value',
    };
    azure.post(foundryTool.paidPath, { status: 400, body: { error } });
    const gateway = await startGateway(oneTarget(foundryTool.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', size: '1024x1536' });
    expect([called.status, called.json().error.code]).toEqual([502, 'upstream_misconfigured']);
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
      `{"model":"chat",${message(url(png))},${tool(',"action":"edit"')},${forced}}`,
    ],
    [
      'with several images, in their order, a mask and options',
      editInputs([imageInput(jpeg, { type: 'image/jpeg' }), imageInput(png)], {
        mask: imageInput(Buffer.from('mask')),
      }),
      { size: '1024x1024', inputFidelity: 'high', user: 'user-1' },
      `{"model":"chat",${message(url(jpeg, 'jpeg'), url(png))},${tool(
        `,"size":"1024x1024","input_fidelity":"high","action":"edit","input_image_mask":{"image_url":"${url(Buffer.from('mask'))}"}`,
      )},${forced},"user":"user-1"}`,
    ],
  ])('%s', async (_name, edit, request, expected) => {
    const { received, text } = await sentBy(chatTool, { ...request, edit });
    expect(text).toBe(expected);
    expect(received.headers['content-length']).toBe(String(Buffer.byteLength(expected)));
    expect(received.headers['content-type']).toBe('application/json');
  });

  async function callEdits(target: Record<string, unknown>, files: Record<string, Buffer>) {
    const gateway = await startGateway(oneTarget({ ...foundryTool.target, ...target }));
    const parts = Object.entries(files).map(([name, bytes]) => ({ name, bytes, filename: 'a.png', type: 'image/png' }));
    const response = await fetch(`${gateway.url}/v1/images/edits`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gatewayKey}`, ...formHeaders },
      body: new Uint8Array(writeForm([...fields({ model: 'image', prompt: 'a cat' }), ...parts])),
    });
    const adaptations = response.headers.get('x-gateway-adapted');
    return {
      status: response.status,
      adaptations,
      body: (await response.json()) as { data: unknown; error: { param: unknown } },
    };
  }

  test('of a caller: its image, and nothing of its file name', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success);
    const { status, body } = await callEdits(chat, { image: png, mask: png });
    expect([status, body.data]).toEqual([200, [{ b64_json: tinyPng }]]);
    expect(azure.texts[0]).toBe(
      `{"model":"chat",${message(url(png))},${tool(
        `,"action":"edit","input_image_mask":{"image_url":"${url(png)}"}`,
      )},${forced}}`,
    );
  });

  const edits = 'Edit what is attached; do not make an unrelated image.';
  const masks = 'The last attached image is a mask: change the first image only where the mask is transparent.';
  test.each<[string, Record<string, Buffer>, string, string]>([
    ['an image', { image: png }, edits, 'action=prompt'],
    ['a mask, which is one image more', { image: png, mask: png }, `${masks} ${edits}`, 'mask=prompt,action=prompt'],
  ])('of an agent, with %s: the prompt says what to do with it', async (_name, files, words, adapted) => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, success);
    const { status, adaptations } = await callEdits({}, files);
    expect([status, adaptations?.replaceAll(' ', '')]).toEqual([200, adapted]);
    const [{ content }] = JSON.parse(azure.texts[0] ?? '').input;
    expect(content).toEqual([
      { type: 'input_text', text: `a cat\n\n${words}` },
      ...Object.keys(files).map(() => ({ type: 'input_image', image_url: url(png) })),
    ]);
  });

  test.each([
    ['image', { image: png }],
    ['mask', { image: png, mask: png }],
  ])('of an agent is refused under strict, naming %s', async (param, files) => {
    const azure = mockAzure();
    const { status, body } = await callEdits({ parameters: 'strict' }, files);
    expect([status, body.error]).toEqual([
      400,
      {
        message: `'${param}' cannot be guaranteed for this model: its agent decides.`,
        type: 'invalid_request_error',
        param,
        code: 'unsupported_parameter',
      },
    ]);
    expect(azure.requests).toEqual([]);
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
        message: `'${param}' is too large: this model takes images of at most about 750 bytes.`,
        type: 'invalid_request_error',
        param,
        code: 'invalid_value',
      },
    ]);
    expect(azure.requests).toEqual([]);
  });
});

test('the body of a published agent names no agent, unless the operator does', async () => {
  const baseURL = `${azureOrigin}/api/projects/p/applications/painter/protocols/openai`;
  const path = '/api/projects/p/applications/painter/protocols/openai/responses';
  expect((await sent({}, { target: { baseURL, agent: undefined }, path })).text).toBe('{"input":"a cat"}');
  expect((await sent({}, { target: { baseURL }, path })).text).toBe(`{${reference},"input":"a cat"}`);
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
      'of a published agent',
      { baseURL: `${azureOrigin}/api/projects/p/agents/painter/endpoint/protocols/openai`, agent: undefined },
      '/api/projects/p/agents/painter/endpoint/protocols/openai/responses',
    ],
    [
      'of an application, with an api-version',
      {
        baseURL: `${azureOrigin}/api/projects/p/applications/painter/protocols/openai/responses`,
        agent: undefined,
        apiVersion: 'v1',
      },
      '/api/projects/p/applications/painter/protocols/openai/responses?api-version=v1',
    ],
    [
      'whose base URL says more than it must',
      { baseURL: `${azureOrigin}/api/projects/p/openai/v1/` },
      '/api/projects/p/openai/v1/responses',
    ],
  ])('%s', async (_name, target, path) => {
    const { received, status } = await sent({}, { target, path });
    expect([received.path, status]).toEqual([path, 200]);
  });

  test('of a job in the background and of its end have the api-version, too', async () => {
    const azure = mockAzure();
    const base = '/api/projects/project-canary/openai/responses';
    const headers = { 'retry-after-ms': '1' };
    azure.post(`${base}?api-version=v1`, { headers, body: responseOf([], { id: 'resp_1', status: 'queued' }) });
    azure.get(`${base}/resp_1?api-version=v1`, { body: responseOf([], { id: 'resp_1', status: 'in_progress' }) });
    azure.post(`${base}/resp_1/cancel?api-version=v1`, { body: {} });
    const abort = new AbortController();
    const provider = foundryToolWith({ apiVersion: 'v1', background: true });
    const { events } = startCall(provider, { signal: abort.signal });
    await expect.poll(() => azure.requests.length).toBe(2);
    abort.abort(new Error('enough'));
    await rejection(events);
    await expect.poll(() => azure.requests.length).toBe(3);
    expect(azure.requests.map(({ method, headers }) => [method, headers['api-key']])).toEqual([
      ['POST', 'upstream-key-canary'],
      ['GET', 'upstream-key-canary'],
      ['POST', 'upstream-key-canary'],
    ]);
  });
});

describe('what the tool has no words for', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['partial images without a stream', { partial_images: 1 }, 'partial_images'],
    ['a parameter that the tool is not known to have', { flag: false }, 'flag'],
    ['an action of the tool', { action: 'generate' }, 'action'],
    ['an image of the tool', { input_image_mask: { image_url: 'https://elsewhere.example' } }, 'input_image_mask'],
    ['another tool in the place of the image tool', { type: 'mcp', server_url: 'https://elsewhere.example' }, 'type'],
  ])('%s: 400 that names the parameter, and no call', async (_name, body, param) => {
    const azure = mockAzure();
    for (const parameters of param === 'type' ? ['adapt', 'strict', 'pass'] : ['adapt']) {
      const gateway = await startGateway(oneTarget({ ...foundryTool.target, parameters }));
      const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', ...body });
      expect([called.status, called.json().error.param]).toEqual([400, param]);
    }
    expect(azure.requests).toEqual([]);
  });

  test.each([foundryTool, foundryBackground])(
    'a stream, at $name: the caller gets one, of one JSON response',
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
