import { describe, expect, test } from 'vitest';
import { flux } from '../../src/providers/flux/flux.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { azureOrigin, mockAzure, type Reply } from './mock-azure.ts';
import {
  collect,
  credential,
  deployment,
  flux2,
  type ProviderUnderTest,
  rejection,
  startCall,
  upstreamKey,
} from './providers.ts';

const success: Reply = { body: { created: 1713833628, data: [{ b64_json: tinyPng }] } };

/** Through the whole gateway, which adapts the request first. */
async function call(body: Record<string, unknown>, target: object = {}, path = flux2.paidPath, calls = 1) {
  const azure = mockAzure();
  azure.post(path, ...Array(calls).fill(success));
  const gateway = await startGateway(oneTarget({ ...flux2.target, ...target }));
  const called = await callGateway(gateway.url, { model: 'image', prompt: 'a fox', ...body });
  return { called, paid: azure.requests.map((request) => request.body), requests: azure.requests };
}

describe('a generation of FLUX', () => {
  test('size becomes width and height, n num_images, and its own parameters are sent', async () => {
    const own = { guidance: 4.5, steps: 30, seed: 7, safety_tolerance: 2 };
    const { paid } = await call({ size: '1024x768', n: 2, output_format: 'jpeg', ...own });
    expect(paid).toEqual([
      { model: deployment, prompt: 'a fox', width: 1024, height: 768, num_images: 2, output_format: 'jpeg', ...own },
    ]);
  });

  test('a ratio stands in place of a size, and not beside one', async () => {
    const { paid } = await call({ aspect_ratio: '16:9' });
    expect(paid).toEqual([{ model: deployment, prompt: 'a fox', aspect_ratio: '16:9' }]);
    const both = await callGateway((await startGateway(oneTarget(flux2.target))).url, {
      ...{ model: 'image', prompt: 'a fox', aspect_ratio: '16:9', size: '1024x1024' },
    });
    expect([both.status, JSON.parse(both.text).error.param]).toEqual([400, 'aspect_ratio']);
  });

  test('the operator’s default size yields to a ratio', async () => {
    const azure = mockAzure();
    azure.post(flux2.paidPath, success);
    const models = { models: { image: { ...flux2.target, defaults: { size: '512x512' } } } };
    const gateway = await startGateway(models);
    await callGateway(gateway.url, { model: 'image', prompt: 'a fox', aspect_ratio: '16:9' });
    expect(azure.requests[0]?.body).toEqual({ model: deployment, prompt: 'a fox', aspect_ratio: '16:9' });
  });

  test('what it does not know is absorbed and reported, or means nothing', async () => {
    const { called, paid } = await call({
      ...{ size: 'auto', quality: 'auto', moderation: 'auto', background: 'auto' },
      ...{ user: 'u', safety_identifier: 's', response_format: 'b64_json' },
    });
    expect(paid).toEqual([{ model: deployment, prompt: 'a fox' }]);
    expect(called.headers.get('x-gateway-adapted')?.split(', ').toSorted()).toEqual([
      ...['safety_identifier=removed', 'user=removed'],
    ]);
  });

  test.each([
    ['guidance', { guidance: 1 }],
    ['guidance', { guidance: 11 }],
    ['guidance', { guidance: '' }],
    ['steps', { steps: 51 }],
    ['steps', { steps: 2.5 }],
    ['aspect_ratio', { aspect_ratio: 'wide' }],
    ['safety_tolerance', { safety_tolerance: 7 }],
    ['seed', { seed: 'lucky' }],
    ['size', { size: '4096x4096' }],
    ['background', { background: 'transparent' }],
    ['webhook_url', { webhook_url: 'https://example.com/' }],
    ['input_image', { input_image: tinyPng }],
  ])('%s is refused by name: %j', async (param, body) => {
    const { called, paid } = await call(body, {}, flux2.paidPath, 0);
    expect(paid).toEqual([]);
    expect([called.status, called.json().error.param]).toEqual([400, param]);
  });

  test.each<[string, string, string]>([
    ['FLUX.2-pro', 'flux-2-pro', 'guidance'],
    ['FLUX.1-Kontext-pro', 'flux-kontext-pro', 'steps'],
    ['flux-1.1-pro', 'flux-pro-1.1', 'guidance'],
  ])('%s has the path %s, and no %s', async (model, path, parameter) => {
    const address = `/providers/blackforestlabs/v1/${path}?api-version=preview`;
    const { paid } = await call({ prompt: 'a fox' }, { model }, address);
    expect(paid).toEqual([{ model: deployment, prompt: 'a fox' }]);
    const { called } = await call({ [parameter]: 4 }, { model }, address, 0);
    expect(called.json().error).toMatchObject({ code: 'unsupported_parameter', param: parameter });
  });

  test('FLUX.1 models make one image a call', async () => {
    const path = '/providers/blackforestlabs/v1/flux-pro-1.1?api-version=preview';
    const { called, paid } = await call({ n: 2 }, { model: 'FLUX-1.1-pro' }, path, 2);
    expect(paid).toEqual(Array(2).fill({ model: deployment, prompt: 'a fox' }));
    expect(called.json().data).toHaveLength(2);
  });
});

describe('an edit with FLUX', () => {
  test('goes to the same path, with its images as base64 in the JSON body', async () => {
    const azure = mockAzure();
    azure.post(flux2.paidPath, success);
    const [one, two] = [Buffer.alloc(100_001, 1), Buffer.alloc(50_000, 2)];
    const edit = editInputs([imageInput(one), imageInput(two)]);
    await collect(await startCall(flux2, { request: { prompt: 'a hat', edit } }).events);
    expect(azure.requests[0]?.body).toEqual({
      ...{ model: deployment, prompt: 'a hat' },
      ...{ input_image: one.toString('base64'), input_image_2: two.toString('base64') },
    });
    expect(azure.requests[0]?.headers['content-length']).toBe(String(azure.texts[0]?.length));
  });
});

describe('the key of FLUX', () => {
  const withHeader = (changes: object): ProviderUnderTest => ({
    ...flux2,
    create: (client) =>
      flux.create(
        { provider: 'flux', model: 'FLUX.2-flex', baseURL: azureOrigin, deployment, apiVersion: 'preview', ...changes },
        { client, credential, openInputs: () => expect.unreachable() },
      ),
  });

  async function headersAt(origin: string, changes: object) {
    const azure = mockAzure(origin);
    azure.post(flux2.paidPath, success);
    await collect(await startCall(withHeader({ baseURL: origin, ...changes })).events);
    const { authorization, 'api-key': key } = azure.requests[0]?.headers ?? {};
    return { authorization, key };
  }

  const asKey = { authorization: undefined, key: upstreamKey };
  const asBearer = { authorization: `Bearer ${upstreamKey}`, key: undefined };
  const other = 'https://resource-canary.api.cognitive.microsoft.com';

  test.each([
    ['api-key at a resource', azureOrigin, {}, asKey],
    ['authorization at the host that the page names', other, {}, asBearer],
    ['whichever the target names', azureOrigin, { keyHeader: 'authorization' }, asBearer],
    ['whichever the target names, there', other, { keyHeader: 'api-key' }, asKey],
  ])('goes as %s', async (_name, origin, changes, expected) => {
    expect(await headersAt(origin, changes)).toEqual(expected);
  });
});

describe('an error of FLUX names what the caller has sent', () => {
  test.each([
    ['num_images', 'n'],
    ['input_image_2', 'image'],
    ['width', 'size'],
    ['guidance', 'guidance'],
  ])('%s is %s', async (named, param) => {
    const error = { code: 'invalid_value', message: 'no', param: named };
    mockAzure().post(flux2.paidPath, { status: 400, body: { error } });
    expect(await rejection(startCall(flux2).events)).toMatchObject({ kind: 'upstream_refused_value', param });
  });
});

describe('in the models file', () => {
  const resource = 'https://r.services.ai.azure.com';
  const targetOf = (changes: object) => {
    const file = oneTarget({ provider: 'flux', model: 'FLUX.2-pro', baseURL: resource, apiKey: 'k', ...changes });
    return parseModels(JSON.stringify(file), {}).models[0]?.targets[0];
  };

  test.each([
    resource,
    `${resource}/`,
    `${resource}/openai/v1`,
    `${resource}/providers/blackforestlabs/v1`,
    `${resource}/providers/blackforestlabs/v1/flux-2-pro`,
  ])('the address may be %s', (baseURL) => {
    expect(targetOf({ baseURL })).toMatchObject({ baseURL: resource, deployment: 'FLUX.2-pro' });
  });

  test.each([
    ['a model whose path is not known', { model: 'FLUX.9' }, 'path'],
    ['the address of a request', { baseURL: `${resource}/openai/v1/images/generations` }, 'baseURL'],
    ['a path of Azure that is another one', { baseURL: `${resource}/models` }, 'baseURL'],
    ['a path with slashes', { path: 'a/b' }, 'path'],
  ])('%s is a mistake', (_name, changes, key) => {
    expect(() => targetOf(changes)).toThrow(key);
  });

  test.each([
    ['FLUX.2-flex', 'flux'],
    ['MAI-Image-2.6', 'mai'],
    ['gpt-image-2', 'azure-v1'],
  ])('%s behind the v1 path is called by the provider %s', (model, provider) => {
    expect(targetOf({ provider: 'azure-v1', model })).toMatchObject({ provider });
  });
});

test.each(['mask', 'markup'] as const)('a %s is never dropped, whatever the target is said to take', async (param) => {
  const png = Buffer.from(tinyPng, 'base64');
  const edit = { ...editInputs([imageInput(png)]), [param]: imageInput(png) };
  const { events, attempt } = startCall(flux2, { request: { edit } });
  expect(await rejection(events)).toMatchObject({ kind: 'unsupported_parameter', param, outcome: 'refused' });
  expect(attempt.sent).toBe(false);
});
