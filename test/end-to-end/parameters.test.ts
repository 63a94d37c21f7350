import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { startRig } from './rig.ts';
import { startStore } from './store.ts';

/** What was requested of the upstream, apart from the prompt. */
type Sent = Record<string, unknown>;

type Call = { readonly body: Sent; readonly modelKeys?: Record<string, unknown>; readonly hosts?: boolean };

async function call({ body, modelKeys = {}, hosts = false }: Call) {
  const rig = await startRig({ modelKeys, ...(hosts && { store: (await startStore()).store }) });
  const response = await callGateway(rig.url, { prompt: 'a cat', ...body });
  const sent = rig.paidPosts().map(({ body }) => {
    const { prompt: _prompt, ...parameters } = body as Sent;
    return parameters;
  });
  return { status: response.status, body: response.json(), adapted: response.headers.get('x-gateway-adapted'), sent };
}

describe('what well-known clients send by themselves is satisfied', () => {
  const openWebUi = { n: 1, size: '512x512', response_format: 'b64_json' };
  const langChain = { n: 1, size: '1024x1024', style: 'vivid', quality: 'standard', response_format: 'url' };

  test.each<[string, Sent, Sent, string | null]>([
    ['Open WebUI to gpt-image', openWebUi, { size: '1024x1024' }, 'size=512x512>1024x1024'],
    [
      'Open WebUI to dall-e-3',
      { model: 'dall-e-3', ...openWebUi },
      { response_format: 'b64_json' },
      'size=512x512>1024x1024',
    ],
    ['Open WebUI to dall-e-2', { model: 'dall-e-2', ...openWebUi }, { size: '512x512' }, 'delivery=b64_json'],
    [
      'LangChain to gpt-image',
      langChain,
      { size: '1024x1024', quality: 'medium' },
      'quality=standard>medium, style=removed, delivery=url',
    ],
    ['LangChain to dall-e-3', { model: 'dall-e-3', ...langChain }, { response_format: 'url' }, null],
    ['LangChain to dall-e-2', { model: 'dall-e-2', ...langChain }, {}, 'style=removed'],
    ['quality hd', { quality: 'hd' }, { quality: 'high' }, 'quality=hd>high'],
    ['quality low for dall-e-3', { model: 'dall-e-3', quality: 'low' }, {}, 'quality=low>standard'],
    [
      '1792x1024',
      { size: '1792x1024', model: 'studio/poster' },
      { model: 'gpt-image-1.5', size: '1536x1024' },
      'size=1792x1024>1536x1024',
    ],
    [
      'null for everything',
      { size: null, quality: null, style: null, stream: null, n: null, response_format: null },
      {},
      null,
    ],
  ])('%s', async (_, body, sent, adapted) => {
    const response = await call({ body, hosts: true });
    expect([response.status, response.adapted, response.sent]).toEqual([200, adapted, [sent]]);
    const [item = {}] = response.body.data;
    if (body.response_format) expect(item).toHaveProperty([String(body.response_format)]);
  });
});

describe('parameters: strict', () => {
  const modelKeys = { parameters: 'strict' };

  test.each<[string, Sent, string[]]>([
    ['an old size', { size: '512x512', model: 'studio/poster' }, ['size']],
    ['quality hd', { quality: 'hd' }, ['quality']],
    ['a style', { style: 'vivid' }, ['style']],
    ['a link', { response_format: 'url' }, ['response_format']],
    ['b64_json of the legacy model', { model: 'dall-e-2', response_format: 'b64_json' }, ['response_format']],
    ['a stream of dall-e-3', { model: 'dall-e-3', stream: true }, ['stream']],
    ['a seed', { seed: 7 }, ['seed']],
    ['a style beside output_format', { style: 'vivid', output_format: 'jpeg' }, ['style', 'output_format']],
    [
      'response_format beside background',
      { response_format: 'url', background: 'opaque' },
      ['response_format', 'background'],
    ],
    ['response_format beside seed', { response_format: 'url', seed: 7 }, ['response_format', 'seed']],
  ])('%s is a 400 that names %3$o, and nothing is sent', async (_, body, names) => {
    const { status, body: response, sent } = await call({ body, modelKeys, hosts: true });
    expect([status, response.error.param]).toEqual([400, names[0]]);
    for (const name of names) expect(response.error.message).toContain(`'${name}'`);
    expect(sent).toEqual([]);
  });
});

describe('seed', () => {
  // The simulator's GPT image refuses it like Azure's: what matters here is that it was called.
  test('is forwarded under pass', async () => {
    const { status, body, sent } = await call({ body: { seed: 7 }, modelKeys: { parameters: 'pass' } });
    expect([status, body.error.code, body.error.param]).toEqual([400, 'unknown_parameter', 'seed']);
    expect(sent).toEqual([{ seed: 7 }]);
  });

  test.each([
    ['image', 7],
    ['image', 'qwertyui'],
    ['dall-e-2', 7],
    ['dall-e-3', 'qwertyui'],
  ])('is removed where the model %s has none, and reported: %j', async (model, seed) => {
    const { status, adapted, sent } = await call({ body: { model, seed } });
    expect([status, adapted]).toEqual([200, 'seed=removed']);
    expect(sent[0]).not.toHaveProperty('seed');
  });
});

describe('what the model does anyway', () => {
  test.each(['adapt', 'strict'])('is left out of a generation under %s, and not reported', async (parameters) => {
    const body = { output_format: 'png', output_compression: 100, n: 1, stream: false, partial_images: 0 };
    const { status, adapted, sent } = await call({ body, modelKeys: { parameters } });
    expect([status, adapted, sent]).toEqual([200, null, [{}]]);
  });
});

describe("the operator's defaults", () => {
  const modelKeys = { defaults: { output_format: 'jpeg', quality: 'medium', response_format: 'url' } };

  test.each<[string, Sent, Sent]>([
    ['transparency', { background: 'transparent' }, { background: 'transparent', quality: 'medium' }],
    ['a stream', { stream: true, quality: 'low' }, { stream: true, quality: 'low', output_format: 'jpeg' }],
    ['nothing', {}, { output_format: 'jpeg', quality: 'medium' }],
  ])('yield to a caller that requests %s, and links to a gateway that hosts none', async (_, body, sent) => {
    const rig = await startRig({ modelKeys });
    const response = await callGateway(rig.url, { prompt: 'a cat', ...body });
    expect([response.status, rig.paidPosts()[0]?.body]).toEqual([200, { prompt: 'a cat', ...sent }]);
    expect(response.headers.get('x-gateway-adapted')).toBeNull();
  });

  test('are no excuse for what the caller itself combines', async () => {
    const body = { output_compression: 80, output_format: 'png' };
    const { status, body: response, sent } = await call({ body, modelKeys });
    expect([status, response.error.param, sent]).toEqual([400, 'output_compression', []]);
  });
});

describe('parameters: pass', () => {
  test('everything is forwarded as it came, and nothing is reported as adapted', async () => {
    const body = { size: '512x512', quality: 'hd', style: 'vivid' };
    const { status, adapted, sent } = await call({ body, modelKeys: { parameters: 'pass' } });
    expect({ status, adapted, sent }).toEqual({ status: 400, adapted: null, sent: [body] });
  });

  test.each<[string, Sent]>([
    ['partial images without a stream', { partial_images: 1 }],
    ['a link in a stream', { stream: true, response_format: 'url' }],
  ])('%s are refused all the same', async (_, body) => {
    const { status, sent } = await call({ body, modelKeys: { parameters: 'pass' } });
    expect([status, sent]).toEqual([400, []]);
  });
});
