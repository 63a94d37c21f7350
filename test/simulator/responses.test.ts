import { once } from 'node:events';
import { connect } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  callAgent,
  dataUrl,
  headersFor,
  looksOf,
  message,
  projectPath,
  resourcePath,
  respond,
  responseIn,
  resultsOf,
  withTool,
} from './call-responses.ts';
import { type Caller, json, openCaller } from './call-simulator.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const megabyte = 1024 * 1024;

/** Sends the head of a request whose body is so long, and reads the first line of the response. */
async function announce(path: string, length: number): Promise<string> {
  const socket = connect(Number(new URL(caller.simulator.origin).port), '127.0.0.1');
  const head = ['host: 127.0.0.1', 'api-key: test-key', 'content-type: application/json', `content-length: ${length}`];
  socket.write(`${[`POST ${path} HTTP/1.1`, ...head].join('\r\n')}\r\n\r\n`);
  const [first] = await once(socket, 'data');
  socket.destroy();
  await once(socket, 'close');
  return String(first).split('\r\n', 1).join();
}

const plain = (width: number, height: number, alpha = 1) =>
  sharp({ create: { width, height, channels: 4, background: { r: 255, g: 0, b: 0, alpha } } })
    .png()
    .toBuffer();
const [red, seeThrough, upright] = (await Promise.all([plain(96, 64), plain(96, 64, 0), plain(64, 96, 0)])).map(
  (bytes) => dataUrl(bytes),
);
const redUrl = String(red);
const showing = (...images: readonly string[]) => ({ input: [message('a hat', ...images)] });
const masked = (image_url: unknown) => withTool({ input_image_mask: { image_url } });

const agentAlone = {
  model: undefined,
  tools: undefined,
  tool_choice: undefined,
  agent_reference: { type: 'agent_reference', name: 'artist' },
};

describe('a chat model', () => {
  test('returns a whole response with the image and a message', async () => {
    const received = await respond(caller, 'gpt-image-2-mine', {
      ...withTool({ size: '1536x1024', quality: 'low', partial_images: 2 }),
      instructions: 'Draw well.',
      metadata: { order: '7' },
    });
    expect(received.status).toBe(200);
    expect(received.headers['apim-request-id']).toBeTypeOf('string');
    const response = responseIn(received);
    expect(response).toMatchObject({
      id: expect.stringMatching(/^resp_\w+$/),
      object: 'response',
      created_at: expect.any(Number),
      status: 'completed',
      background: false,
      error: null,
      incomplete_details: null,
      instructions: 'Draw well.',
      metadata: { order: '7' },
      model: 'gpt-4.1',
      tools: [{ type: 'image_generation', size: '1536x1024', quality: 'low', partial_images: 2 }],
      tool_choice: { type: 'image_generation' },
      usage: { input_tokens: 102, output_tokens: 50, total_tokens: 152 },
    });
    expect(response.output).toEqual([
      {
        id: expect.stringMatching(/^ig_/),
        type: 'image_generation_call',
        status: 'completed',
        action: 'generate',
        background: 'opaque',
        output_format: 'png',
        quality: 'low',
        size: '1536x1024',
        revised_prompt: expect.stringContaining('a cat'),
        result: expect.any(String),
      },
      expect.objectContaining({ type: 'message', role: 'assistant' }),
    ]);
    expect(await looksOf(resultsOf(response)[0])).toBe('png 1536x1024');
  });

  test('is billed as the image deployment', async () => {
    await respond(caller, 'gpt-image-2-mine');
    const { ledger } = caller.simulator;
    expect(ledger.generations).toEqual([
      {
        operation: 'generate',
        flow: 'foundry-agent',
        deployment: 'gpt-image-2-mine',
        prompt: 'a cat',
        images: 1,
        scenario: 'none',
      },
    ]);
    expect(ledger.counts()).toMatchObject({ received: 1, billed: 1, billedByFlow: { 'foundry-agent': 1 } });
  });

  test('draws what the image API draws', async () => {
    const [made] = resultsOf(responseIn(await respond(caller, 'gpt-image-2')));
    expect(made).toBe(json(await caller.generate('gpt-image-2', { prompt: 'a cat' })).data[0].b64_json);
  });

  test('takes all options of the tool', async () => {
    const options = {
      model: 'gpt-image-1',
      quality: 'auto',
      size: 'auto',
      output_format: 'jpeg',
      output_compression: 50,
      moderation: 'low',
      background: 'auto',
      input_fidelity: 'high',
      partial_images: 0,
      action: 'auto',
    };
    const [made] = resultsOf(responseIn(await respond(caller, 'gpt-image-1-mine', withTool(options))));
    expect(await looksOf(made)).toBe('jpeg 1024x1024');
  });

  test('takes the other members, and messages in pieces', async () => {
    const others = { store: true, user: 'me', safety_identifier: 'me', previous_response_id: 'resp_1', stream: false };
    const parts = [message('a'), { role: 'user', content: 'cat' }];
    const received = await respond(caller, 'gpt-image-2', { ...others, background: false, input: parts });
    expect([received.status, caller.simulator.ledger.generations[0]?.prompt]).toEqual([200, 'a\ncat']);
  });

  test.each([undefined, 'auto', 'none'])('writes a text when tool_choice is %s, and bills nothing', async (choice) => {
    const response = responseIn(await respond(caller, 'gpt-image-2', { tool_choice: choice }));
    expect(response.output.map(({ type }) => type)).toEqual(['message']);
    expect(caller.simulator.ledger.counts().billed).toBe(0);
  });

  test.each([
    ['n', { n: 1 }, 400, 'unknown_parameter', 'n'],
    ['a strange temperature', { temperature: 3 }, 400, 'invalid_value', 'temperature'],
    ['a stream without partial images', { stream: true }, 400, null, 'tools'],
    ['a stream with none', { stream: true, ...withTool({ partial_images: 0 }) }, 400, null, 'tools'],
    ['prompt', { prompt: 'a cat' }, 400, 'unknown_parameter', 'prompt'],
    ['no model', { model: undefined }, 400, 'missing_required_parameter', 'model'],
    ['a strange model', { model: 'gpt-image-2' }, 404, 'DeploymentNotFound', undefined],
    ['no input', { input: undefined }, 400, 'missing_required_parameter', 'input'],
    ['an empty input', { input: '' }, 400, 'invalid_value', 'input'],
    ['an input too long', { input: 'x'.repeat(32_001) }, 400, 'invalid_value', 'input'],
    ['an input of the wrong type', { input: 7 }, 400, 'invalid_value', 'input'],
    ['a message of the system', { input: [{ role: 'system', content: 'x' }] }, 400, 'invalid_value', 'input[0]'],
    ['a message with more', { input: [{ ...message('x'), id: 1 }] }, 400, 'unknown_parameter', 'input[0].id'],
    ['no tools', { tools: undefined }, 400, 'missing_required_parameter', 'tools'],
    ['empty tools', { tools: [] }, 400, 'invalid_value', 'tools'],
    ['another tool', { tools: [{ type: 'web_search' }] }, 400, 'invalid_value', 'tools'],
    ['two tools', { tools: [{ type: 'image_generation' }, {}] }, 400, 'invalid_value', 'tools'],
    ['another choice', { tool_choice: { type: 'web_search' } }, 400, 'invalid_value', 'tool_choice'],
    ['background that is not stored', { background: true, store: false }, 400, 'invalid_value', 'store'],
    ['background in a stream', { background: true, stream: true }, 400, 'invalid_value', 'stream'],
    ['stream as text', { stream: 'true' }, 400, 'invalid_value', 'stream'],
    ['metadata of numbers', { metadata: { order: 7 } }, 400, 'invalid_value', 'metadata'],
    ['user null', { user: null }, 400, 'invalid_value', 'user'],
    ['an agent here', agentAlone, 404, 'not_found', null],
    ['an unknown scenario', { input: 'simulate:flood' }, 400, 'unknown_scenario', 'prompt'],
    ['a scenario of another flow', { input: 'simulate:operation-lost' }, 400, 'scenario_out_of_reach', 'prompt'],
    ['url-item', { input: 'simulate:url-item' }, 400, 'scenario_out_of_reach', 'prompt'],
    ['a scenario of downloads', { input: 'simulate:download-404' }, 400, 'scenario_out_of_reach', 'prompt'],
    ['a scenario of streams', { input: 'simulate:stream-cut' }, 400, 'scenario_out_of_reach', 'prompt'],
  ])('refuses %s', async (_name, members, status, code, param) => {
    const received = await respond(caller, 'gpt-image-2', members);
    const { error } = json(received);
    expect([received.status, error.code, error.param]).toEqual([status, code, param]);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 1 });
  });

  test.each([
    ['n', 1, 'unknown_parameter'],
    ['user', 'me', 'unknown_parameter'],
    ['prompt', 'a cat', 'unknown_parameter'],
    ['response_format', 'url', 'unknown_parameter'],
    ['constructor', 1, 'unknown_parameter'],
    ['model', 'gpt-image-1', 'invalid_value'],
    ['size', '640x640', 'invalid_value'],
    ['quality', 'hd', 'invalid_value'],
    ['output_format', 'webp', 'invalid_value'],
    ['output_compression', 50, 'invalid_value'],
    ['moderation', 'high', 'invalid_value'],
    ['background', 'clear', 'invalid_value'],
    ['partial_images', 4, 'invalid_value'],
    ['action', 'draw', 'invalid_value'],
    ['action', 'edit', 'invalid_value'],
    ['input_image_mask', { file_id: 'file_1' }, 'invalid_value'],
    ['input_image_mask', { image_url: 'data:image/png;base64,' }, 'invalid_value'],
  ])('refuses the option %s: %j', async (name, value, code) => {
    const received = await respond(caller, 'gpt-image-2', withTool({ [name]: value }));
    expect([received.status, json(received).error]).toEqual([
      400,
      expect.objectContaining({ code, param: `tools[0].${name}`, type: 'invalid_request_error' }),
    ]);
    expect(caller.simulator.ledger.counts().billed).toBe(0);
  });

  test('says of input_fidelity what the image API says', async () => {
    const received = await respond(caller, 'gpt-image-2', withTool({ input_fidelity: 'low' }));
    expect([received.status, json(received).error.code]).toEqual([400, 'invalid_input_fidelity_model']);
  });

  test.each([undefined, 'gpt-4.1', 'dall-e-3', 'FLUX'])('refuses the image deployment %s', async (deployment) => {
    const { 'x-ms-oai-image-generation-deployment': header, ...others } = headersFor(String(deployment));
    const headers = deployment === undefined ? others : headersFor(deployment);
    const body = { model: 'gpt-4.1', input: 'a cat', ...withTool({}) };
    const received = await caller.call('POST', resourcePath, body, headers);
    expect([received.status, json(received)]).toEqual([
      400,
      {
        error: {
          message: 'imagegen deployment must be provided through header: x-ms-oai-image-generation-deployment',
          type: 'image_generation_user_error',
          param: 'tools',
          code: 'invalid_request_error',
        },
      },
    ]);
  });
});

describe('an agent', () => {
  test.each(['artist', 'artist-of-mine'])('called %s draws with its own tool', async (name) => {
    const agent = { type: 'agent_reference', name, version: '2' };
    const response = responseIn(await callAgent(caller, { agent_reference: agent }));
    expect(response.output[0]).toMatchObject({ size: '1024x1024', quality: 'low', output_format: 'png' });
    expect(response).toMatchObject({ agent_reference: agent, model: 'gpt-4.1' });
    expect(await looksOf(resultsOf(response)[0])).toBe('png 1024x1024');
    expect(caller.simulator.ledger.counts().billedByDeployment).toEqual({ 'gpt-image-2-mine': 1 });
  });

  const forbidden = {
    ...withTool({ size: '1024x1024' }),
    model: 'gpt-4.1',
    temperature: 1,
    top_p: 1,
    tool_choice: { type: 'image_generation' },
  };
  const refusals: [string, Record<string, unknown>, string][] = [
    [
      'agent',
      { agent: { type: 'agent_reference', name: 'artist' } },
      "The 'agent' property is deprecated. Use 'agent_reference' instead.",
    ],
    ...Object.entries(forbidden).map(([name, value]): [string, Record<string, unknown>, string] => [
      name,
      { [name]: value },
      'Not allowed when agent is specified.',
    ]),
  ];

  test.each(refusals)('is refused with %s beside it, in both layouts', async (param, members, message) => {
    const type = 'invalid_request_error';
    const received = await callAgent(caller, members);
    const error = { message, type, param, code: 'invalid_payload' };
    expect([received.status, json(received)]).toEqual([400, { error }]);
    const detailed = await callAgent(caller, { ...members, input: 'simulate:agent-error-details' });
    const details = [{ code: 'ValidationError', message, param }];
    expect([detailed.status, json(detailed)]).toEqual([400, { error: { ...error, param: null, details } }]);
    expect(caller.simulator.ledger.counts().billed).toBe(0);
  });

  test.each(['agents/artist-of-mine/endpoint', 'applications/artist-of-mine'])(
    'that is published at %s needs no name, and has no other',
    async (place) => {
      const path = `/api/projects/studio/${place}/protocols/openai/responses`;
      const named = (name: string) => ({ agent_reference: { type: 'agent_reference', name } });
      const bodies = [{ agent_reference: undefined }, named('artist-of-mine'), named('artist')];
      const allReceived = await Promise.all(bodies.map((body) => callAgent(caller, body, path)));
      expect(allReceived.map(({ status }) => status)).toEqual([200, 200, 404]);
      expect((await callAgent(caller, bodies[0], `${path}?api-version=2025-11-15-preview`)).status).toBe(200);
      expect((await callAgent(caller, bodies[0], `${path}?api-version=new`)).status).toBe(404);
    },
  );

  test('that nobody made is not found', async () => {
    for (const name of ['art', 'artistic']) {
      const received = await callAgent(caller, { agent_reference: { type: 'agent_reference', name } });
      const error = { code: 'not_found', message: `Agent ${name} doesn't exist`, type: 'invalid_request_error' };
      expect([received.status, json(received)]).toEqual([404, { error: { ...error, param: null } }]);
    }
  });

  test.each([
    ['a name alone', { agent_reference: { name: 'artist' } }, 'agent_reference'],
    ['another member', { agent_reference: { type: 'agent_reference', name: 'artist', id: 1 } }, 'agent_reference'],
  ])('is refused with %s', async (_name, members, param) => {
    const received = await callAgent(caller, members);
    expect([received.status, json(received).error.param]).toEqual([400, param]);
  });
});

describe('the path', () => {
  const earlier = '/api/projects/studio/openai/responses';

  test.each([
    [projectPath, 200],
    [`${projectPath}?api-version=v1`, 200],
    [`${projectPath}?api-version=2025-11-15-preview`, 404],
    [`${earlier}?api-version=2025-11-15-preview`, 200],
    [earlier, 404],
    [`${earlier}?api-version=new`, 404],
  ])('%s responds with %i', async (path, status) => {
    expect((await callAgent(caller, {}, path)).status).toBe(status);
  });

  test('of the resource takes the api-versions of v1', async () => {
    const body = { model: 'o3', input: 'a cat', ...withTool({}) };
    for (const [query, status] of Object.entries({ '': 200, '?api-version=preview': 200, '?api-version=2024': 404 })) {
      const received = await caller.call('POST', `${resourcePath}${query}`, body, headersFor('gpt-image-2'));
      expect([query, received.status]).toEqual([query, status]);
    }
  });
});

describe('an edit', () => {
  test('draws over the first image, and bills an edit', async () => {
    const edited = responseIn(await respond(caller, 'gpt-image-1', showing(redUrl, redUrl)));
    expect(edited.output[0]?.action).toBe('edit');
    const generated = responseIn(await respond(caller, 'gpt-image-1', showing()));
    expect(resultsOf(edited)).not.toEqual(resultsOf(generated));
    expect(caller.simulator.ledger.counts().billedByOperation).toEqual({ edit: 1, generate: 1 });
  });

  test('may have a mask, be required, or be declined', async () => {
    const calls = [masked(seeThrough), withTool({ action: 'edit' }), withTool({ action: 'generate' })];
    const actions = await Promise.all(
      calls.map(async (tools) => {
        const received = await respond(caller, 'gpt-image-1', { ...showing(redUrl), ...tools });
        return responseIn(received).output[0]?.action;
      }),
    );
    expect(actions).toEqual(['edit', 'edit', 'generate']);
  });

  test('of an agent is one, too', async () => {
    expect(responseIn(await callAgent(caller, showing(redUrl))).output[0]?.action).toBe('edit');
  });

  test.each([
    ['a link', showing('https://example.com/a.png'), 'invalid_value'],
    ['no base64', showing('data:image/png;base64,a*b'), 'invalid_value'],
    ['another type', showing(dataUrl(Buffer.from('a'), 'image/gif')), 'unsupported_file_mimetype'],
    ['bytes of another type', showing(redUrl.replace('png', 'jpeg')), 'invalid_image_file'],
    ['bytes of no image', showing(dataUrl(Buffer.from('a text'))), 'invalid_image_file'],
    ['too many images', showing(...Array<string>(17).fill(redUrl)), 'invalid_image_file'],
    ['a mask of another size', { ...showing(redUrl), ...masked(upright) }, 'invalid_image_file'],
  ])('refuses %s', async (_name, members, code) => {
    const received = await respond(caller, 'gpt-image-1', members);
    expect([received.status, json(received).error.code]).toEqual([400, code]);
  });

  test('is recorded without its images', async () => {
    await respond(caller, 'gpt-image-1', { ...showing(redUrl), ...masked(seeThrough) });
    const short = (url: unknown) => `data:image/png;base64,…(${String(url).length - 22} characters)`;
    expect(caller.simulator.ledger.requests[0]?.body).toMatchObject({
      ...showing(short(redUrl)),
      ...masked(short(seeThrough)),
    });
  });

  test('may be much larger than other bodies', async () => {
    const padded = Buffer.concat([Buffer.from(redUrl.slice(22), 'base64'), Buffer.alloc(9 * megabyte)]);
    expect((await respond(caller, 'gpt-image-1', showing(dataUrl(padded)))).status).toBe(200);
  });

  test.each([
    [resourcePath, 64],
    ['/openai/v1/images/generations', 4],
  ])('to %s is refused above %i MB', async (path, megabytes) => {
    expect(await announce(path, megabytes * megabyte + 1)).toContain('413');
  });
});
