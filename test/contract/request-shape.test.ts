import { describe, expect, test } from 'vitest';
import { otherPng, tinyPng } from '../fixtures/images.ts';
import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { azureOrigin, type MockedAzure, mockAzure, type ReceivedRequest } from './mock-azure.ts';
import {
  acceptOperation,
  agent,
  allProviders,
  azureAsyncFlow,
  azureDeployment,
  azureV1,
  azureV1WithVersion,
  deployment,
  edgeProviders,
  flux2,
  foundryBackground,
  foundryProviders,
  imageCall,
  imageDeployment,
  maiImage,
  operationPath,
  type ProviderUnderTest,
  responseOf,
  synchronousProviders,
  upstreamKey,
} from './providers.ts';

const host = new URL(azureOrigin).host;
const link = `${azureOrigin}/private/images/1.png?sig=link-canary`;

type Outgoing = { readonly called: Called; readonly paid: ReceivedRequest; readonly azure: MockedAzure };

/** Calls the gateway, and gives the one paid call that it made. */
async function send(
  provider: ProviderUnderTest,
  body: Record<string, unknown>,
  {
    target = {},
    headers = {},
    calls = 1,
  }: { target?: Record<string, unknown>; headers?: Record<string, string>; calls?: number } = {},
): Promise<Outgoing> {
  const azure = mockAzure();
  if (provider === azureAsyncFlow) {
    acceptOperation(azure, { body: { status: 'succeeded', created: 1685064331, result: { data: [{ url: link }] } } });
  } else if (foundryProviders.includes(provider)) {
    azure.post(provider.paidPath, ...Array(calls).fill({ body: responseOf([imageCall(tinyPng)]) }));
  } else {
    const success = { body: { created: 1713833628, data: [{ b64_json: tinyPng }] } };
    azure.post(provider.paidPath, ...Array(provider === maiImage ? calls : 1).fill(success));
  }
  const gateway = await startGateway(oneTarget({ ...provider.target, ...target }));
  const called = await callGateway(gateway.url, { model: 'image', ...body }, { headers });
  const [paid] = azure.requests;
  if (paid === undefined) throw new Error(`nothing was sent: ${called.text}`);
  return { called, paid, azure };
}

const modelOf = (provider: ProviderUnderTest) =>
  [azureV1, azureV1WithVersion, ...edgeProviders].includes(provider) ? { model: deployment } : {};

/** A size as edges; MAI-Image gets them also where nobody has asked for any. */
function edgesOf(provider: ProviderUnderTest, size = provider === maiImage ? '1024x1024' : ''): object {
  const [width = 0, height = 0] = size.split('x').map(Number);
  return width === 0 ? {} : { width, height };
}

/** The body of one paid call, in the words of the provider's protocol. */
function bodyOf(provider: ProviderUnderTest, { prompt, ...options }: { prompt: string; size?: string }): object {
  if (edgeProviders.includes(provider)) return { ...modelOf(provider), prompt, ...edgesOf(provider, options.size) };
  if (!foundryProviders.includes(provider)) return { ...modelOf(provider), prompt, ...options };
  return {
    agent_reference: { type: 'agent_reference', name: agent },
    input: options.size === undefined ? prompt : `${prompt}\n\nThe size of the image must be ${options.size}.`,
    ...(provider === foundryBackground && { background: true }),
  };
}

const isFoundry = (provider: ProviderUnderTest) => foundryProviders.includes(provider);

describe.each(allProviders)('the paid call of $name', (provider) => {
  test('a minimal request: method, path, query, every header, and a body of what was requested only', async () => {
    const { called, paid } = await send(provider, { prompt: 'a cat' });
    expect(called.status).toBe(200);
    const body = bodyOf(provider, { prompt: 'a cat' });
    expect(paid).toEqual({
      method: 'POST',
      path: provider.paidPath,
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        'api-key': upstreamKey,
        connection: 'close',
        'content-length': String(JSON.stringify(body).length),
        'content-type': 'application/json',
        host,
        'user-agent': 'azure-image-gateway',
        ...(isFoundry(provider) && { 'x-ms-oai-image-generation-deployment': imageDeployment }),
      },
      body,
    });
  });

  test('headers of the caller, its key among them, stay behind', async () => {
    const { paid } = await send(
      provider,
      { prompt: 'a cat' },
      {
        headers: {
          'x-api-key': 'caller-canary-key',
          cookie: 'caller-canary=1',
          'user-agent': 'caller-canary',
          'openai-organization': 'caller-canary',
          'x-stainless-retry-count': '0',
          'x-request-id': 'caller-canary',
          'x-ms-client-request-id': 'caller-canary',
          'x-forwarded-for': '192.0.2.7',
          'accept-language': 'de',
        },
      },
    );
    const names = Object.keys(paid.headers).sort();
    expect(names).toEqual([
      'accept',
      'accept-encoding',
      'api-key',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      ...(isFoundry(provider) ? ['x-ms-oai-image-generation-deployment'] : []),
    ]);
    expect(JSON.stringify(paid)).not.toMatch(/caller-canary|gateway-key-canary/);
  });

  test('members that are null count as not given', async () => {
    const { paid } = await send(provider, { prompt: 'a cat', n: null, size: null, user: null, response_format: null });
    expect(paid.body).toEqual(bodyOf(provider, { prompt: 'a cat' }));
  });

  test('n=1 is the default of every upstream, and is left out', async () => {
    const { paid } = await send(provider, { prompt: 'a cat', n: 1 });
    expect(paid.body).toEqual(bodyOf(provider, { prompt: 'a cat' }));
  });

  test('n above 1 is sent as a number, or as so many calls where the protocol has no words for it', async () => {
    const { azure, called } = await send(provider, { prompt: 'a cat', n: 3 }, { calls: 3 });
    const once = bodyOf(provider, { prompt: 'a cat' });
    const paid = azure.requests.filter(({ method }) => method === 'POST').map(({ body }) => body);
    const isFannedOut = isFoundry(provider) || provider === maiImage;
    const count = provider === flux2 ? { num_images: 3 } : { n: 3 };
    expect(paid).toEqual(isFannedOut ? [once, once, once] : [{ ...once, ...count }]);
    // One call of this mock makes one image, whatever is requested.
    expect(called.headers.get('x-gateway-adapted')).toBe(isFannedOut ? 'n=fan-out' : 'n=fewer');
  });

  test('a prompt with any characters arrives as it was given', async () => {
    const prompt = 'Katze \u{1F431}\n"quoted" \\ \u2028 \u0001 </script>';
    const { paid } = await send(provider, { prompt });
    expect(paid.body).toEqual(bodyOf(provider, { prompt }));
  });

  test('one call of the gateway is one paid call', async () => {
    const { azure } = await send(provider, { prompt: 'a cat' });
    expect(azure.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('the defaults of the model fill in what the caller leaves out, and nothing else', async () => {
    const [defaultSize = '', other = ''] =
      provider === azureAsyncFlow ? ['512x512', '256x256'] : ['1536x1024', '1024x1536'];
    const target = { defaults: { size: defaultSize } };
    const filled = await send(provider, { prompt: 'a cat', size: null }, { target });
    expect(filled.paid.body).toEqual(bodyOf(provider, { prompt: 'a cat', size: defaultSize }));
    const given = await send(provider, { prompt: 'a cat', size: other }, { target });
    expect(given.paid.body).toEqual(bodyOf(provider, { prompt: 'a cat', size: other }));
  });
});

describe.each(synchronousProviders)('the body of $name for gpt-image', (provider) => {
  test('a full request arrives in the names of the wire', async () => {
    const requested = {
      prompt: 'a cat',
      n: 2,
      size: '1536x1024',
      quality: 'high',
      background: 'opaque',
      output_format: 'jpeg',
      output_compression: 0,
      moderation: 'low',
      user: 'user-1234',
    };
    const { paid } = await send(provider, requested);
    expect(paid.body).toEqual({ ...modelOf(provider), ...requested });
  });

  test('parameters that the gateway does not know are forwarded as they are, falsy values among them', async () => {
    const extra = { complexity: 'high', steps: 0, flag: false, note: '', nested: { list: [1, null, 'two'] } };
    const { paid } = await send(provider, { prompt: 'a cat', ...extra });
    expect(paid.body).toEqual({ ...modelOf(provider), prompt: 'a cat', ...extra });
  });

  test('response_format is never sent, because these models refuse it', async () => {
    const { called, paid } = await send(provider, { prompt: 'a cat', response_format: 'b64_json' });
    expect(paid.body).toEqual({ ...modelOf(provider), prompt: 'a cat' });
    expect(called.headers.get('x-gateway-adapted')).toBeNull();
  });

  test('response_format of the defaults is not sent either', async () => {
    const defaults = { quality: 'low', output_format: 'jpeg', output_compression: 0 };
    const target = { defaults: { ...defaults, response_format: 'b64_json' } };
    const { paid } = await send(provider, { prompt: 'a cat' }, { target });
    expect(paid.body).toEqual({ ...modelOf(provider), prompt: 'a cat', ...defaults });
  });

  test('stream=false and partial_images=0, which mean no streaming, are left out', async () => {
    const { paid } = await send(provider, { prompt: 'a cat', stream: false, partial_images: 0 });
    expect(paid.body).toEqual({ ...modelOf(provider), prompt: 'a cat' });
  });

  test('the caller’s model names the gateway’s model, and never reaches the upstream', async () => {
    const { paid } = await send(provider, { prompt: 'a cat', model: 'image' });
    expect(paid.body).toEqual({ ...modelOf(provider), prompt: 'a cat' });
  });
});

describe.each(synchronousProviders)('the body of $name for dall-e-3', (provider) => {
  const target = { model: 'dall-e-3' };

  test.each(['url', 'b64_json'])('response_format %s is sent, together with style and quality', async (format) => {
    const requested = { prompt: 'a cat', response_format: format, style: 'natural', quality: 'hd', size: '1792x1024' };
    const { paid } = await send(provider, requested, { target });
    expect(paid.body).toEqual({ ...modelOf(provider), ...requested });
  });

  test('without response_format the upstream decides', async () => {
    const { paid } = await send(provider, { prompt: 'a cat' }, { target });
    expect(paid.body).toEqual({ ...modelOf(provider), prompt: 'a cat' });
  });

  test('response_format of the defaults is sent', async () => {
    const defaults = { response_format: 'b64_json', style: 'natural' };
    const { paid } = await send(provider, { prompt: 'a cat' }, { target: { ...target, defaults } });
    expect(paid.body).toEqual({ ...modelOf(provider), prompt: 'a cat', ...defaults });
  });
});

describe.each(synchronousProviders)('the body of $name for a stream', (provider) => {
  const completed = `data: {"type":"image_generation.completed","b64_json":"${tinyPng}"}\n\n`;

  async function streamed(body: object, target: object = {}) {
    const azure = mockAzure();
    azure.post(provider.paidPath, { body: completed, headers: { 'content-type': 'text/event-stream' } });
    const gateway = await startGateway(oneTarget({ ...provider.target, ...target }));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', ...body });
    return { called, body: azure.requests[0]?.body };
  }

  test('stream and partial_images are sent, response_format is not', async () => {
    const { called, body } = await streamed({ stream: true, partial_images: 2, response_format: 'b64_json' });
    expect(body).toEqual({ ...modelOf(provider), prompt: 'a cat', stream: true, partial_images: 2 });
    expect(called.headers.get('content-type')).toBe('text/event-stream');
  });

  test('a target with upstreamStream always is called for a stream by everybody, who get their JSON', async () => {
    const { called, body } = await streamed({}, { upstreamStream: 'always' });
    expect(body).toEqual({ ...modelOf(provider), prompt: 'a cat', stream: true, partial_images: 1 });
    expect(called.json().data).toEqual([{ b64_json: tinyPng }]);
  });
});

describe('the address of a synchronous call', () => {
  test('azure-deployment with a deployment of its own: the name is percent-encoded into the path', async () => {
    const azure = mockAzure();
    const path = '/openai/deployments/my%20images/images/generations?api-version=2024-10-21';
    azure.post(path, { body: { data: [{ b64_json: tinyPng }] } });
    const target = {
      ...azureDeployment.target,
      baseURL: azureOrigin,
      deployment: 'my images',
      apiVersion: '2024-10-21',
    };
    const gateway = await startGateway(oneTarget(target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect([called.status, azure.requests[0]?.path]).toEqual([200, path]);
  });

  test('azure-v1 without a deployment: the body names the model', async () => {
    const { deployment: _, ...target } = azureV1.target;
    const azure = mockAzure();
    azure.post(azureV1.paidPath, { body: { data: [{ b64_json: tinyPng }] } });
    const gateway = await startGateway(oneTarget(target));
    await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect(azure.requests[0]?.body).toEqual({ model: 'gpt-image-2', prompt: 'a cat' });
  });
});

describe('the calls of azure-async', () => {
  test('everything that DALL·E 2 knows is sent', async () => {
    const requested = { prompt: 'a monkey eating a banana', size: '256x256', n: 2, user: 'user-1234' };
    const { paid } = await send(azureAsyncFlow, requested);
    expect(paid.body).toEqual(requested);
  });

  test.each([
    { format: 'url', adapted: null, response: { url: link } },
    { format: 'b64_json', adapted: 'delivery=b64_json', response: { b64_json: otherPng } },
  ])('response_format $format is satisfied by the gateway, and never sent', async ({ format, adapted, response }) => {
    const azure = mockAzure();
    acceptOperation(azure, { body: { status: 'succeeded', created: 1685064331, result: { data: [{ url: link }] } } });
    if (format === 'b64_json')
      azure.get('/private/images/1.png?sig=link-canary', { body: Buffer.from(otherPng, 'base64') });
    const gateway = await startGateway(oneTarget(azureAsyncFlow.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', response_format: format });
    expect(azure.requests[0]?.body).toEqual({ prompt: 'a cat' });
    expect(called.headers.get('x-gateway-adapted')).toBe(adapted);
    expect(called.json()).toEqual({ created: 1685064331, data: [response] });
  });

  test('response_format is not sent for a model that the families do not know either', async () => {
    const requested = { prompt: 'a cat', response_format: 'url' };
    const { paid } = await send(azureAsyncFlow, requested, { target: { model: 'some-model' } });
    expect(paid.body).toEqual({ prompt: 'a cat' });
  });

  test('a poll carries the key and nothing of the caller', async () => {
    const { azure } = await send(azureAsyncFlow, { prompt: 'a cat' }, { headers: { 'x-api-key': 'caller-canary' } });
    expect(azure.requests[1]).toEqual({
      method: 'GET',
      path: operationPath,
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        'api-key': upstreamKey,
        connection: 'keep-alive',
        host,
        'user-agent': 'azure-image-gateway',
      },
      body: undefined,
    });
  });

  test('the download of a result carries no key', async () => {
    const azure = mockAzure();
    acceptOperation(azure, { body: { status: 'succeeded', result: { data: [{ url: link }] } } });
    azure.get('/private/images/1.png?sig=link-canary', { body: Buffer.from(tinyPng, 'base64') });
    const gateway = await startGateway(oneTarget(azureAsyncFlow.target));
    await callGateway(gateway.url, { model: 'image', prompt: 'a cat', response_format: 'b64_json' });
    expect(azure.requests[2]?.headers).toEqual({
      accept: 'image/*',
      'accept-encoding': 'identity',
      connection: 'keep-alive',
      host,
      'user-agent': 'azure-image-gateway',
    });
  });
});

describe('requests that are refused before anything is sent', () => {
  test.each([
    { name: 'a quality that DALL·E 2 lacks', provider: azureAsyncFlow, body: { quality: 'hd' }, param: 'quality' },
    { name: 'an unknown parameter on DALL·E 2', provider: azureAsyncFlow, body: { mood: 'dark' }, param: 'mood' },
    { name: 'links of gpt-image', provider: azureV1, body: { response_format: 'url' }, param: 'response_format' },
    {
      name: 'partial images without a stream',
      provider: azureV1,
      body: { partial_images: 1 },
      param: 'partial_images',
    },
    {
      name: 'links in a stream',
      provider: azureDeployment,
      body: { stream: true, response_format: 'url' },
      param: 'stream',
    },
  ])('$name: 400 that names the parameter, and no call', async ({ provider, body, param }) => {
    const azure = mockAzure();
    const gateway = await startGateway(oneTarget(provider.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', ...body });
    expect([called.status, called.json().error.param]).toEqual([400, param]);
    expect(azure.requests).toEqual([]);
  });
});
