import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { EditInputs } from '../../src/domain/image-input.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import { type AzureError, capturedErrors, otherErrors } from '../fixtures/azure-errors.ts';
import { otherPng, tinyPng } from '../fixtures/images.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';
import { gatewayKey, oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { type FormPart, fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import { azureOrigin, mockAzure, type ReceivedRequest, type Reply } from './mock-azure.ts';
import {
  azureAsyncFlow,
  azureDeployment,
  azureV1,
  azureV1WithVersion,
  collect,
  deployment,
  type ProviderUnderTest,
  rejection,
  startCall,
  synchronousProviders,
  upstreamKey,
} from './providers.ts';

const host = new URL(azureOrigin).host;
const editsPath = ({ paidPath }: ProviderUnderTest) => paidPath.replace('/images/generations', '/images/edits');
const success: Reply = { body: { created: 1713833628, data: [{ b64_json: tinyPng }] } };

const image = Buffer.from(tinyPng, 'base64');
const png = imageInput(image);
const jpeg = imageInput(Buffer.from('a jpeg\r\n--gateway-\r\n'), { type: 'image/jpeg' });
const webp = imageInput(Buffer.alloc(70_000, 7), { type: 'image/webp' });

const fieldsOf = (provider: ProviderUnderTest): Record<string, string> =>
  provider === azureDeployment ? {} : { model: deployment };

const boundaryOf = ({ headers }: ReceivedRequest) =>
  headers['content-type']?.replace('multipart/form-data; boundary=', '') ?? '';

type File = readonly [name: string, filename: string, type: string, bytes: Buffer];

/** The form's bytes as they have to be. */
function formOf(boundary: string, values: Record<string, string>, files: readonly File[]): string {
  const parts = [
    ...Object.entries(values).map(([name, value]) => [`name="${name}"`, Buffer.from(value)] as const),
    ...files.map(
      ([name, filename, type, bytes]) =>
        [`name="${name}"; filename="${filename}"\r\ncontent-type: ${type}`, bytes] as const,
    ),
  ];
  const written = parts.map(
    ([head, bytes]) =>
      `--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n${bytes.toString('latin1')}\r\n`,
  );
  return `${written.join('')}--${boundary}--\r\n`;
}

function expectForm(
  received: ReceivedRequest | undefined,
  values: Record<string, string>,
  files: readonly File[],
): void {
  if (received === undefined) throw new Error('nothing was sent');
  const body = received.body as Buffer;
  expect(body.toString('latin1')).toBe(formOf(boundaryOf(received), values, files));
  expect(received.headers['content-length']).toBe(String(body.length));
}

/** Lets a provider edit, and gives what arrived. */
async function edit(provider: ProviderUnderTest, inputs: EditInputs, request: Partial<ImageRequest> = {}) {
  const azure = mockAzure();
  azure.post(editsPath(provider), success);
  const call = startCall(provider, { request: { prompt: 'a cat', ...request, edit: inputs } });
  const events = await collect(await call.events);
  return {
    received: azure.requests[0] as ReceivedRequest,
    count: azure.requests.length,
    events,
    attempt: call.attempt,
  };
}

describe.each(synchronousProviders)('the paid edit of $name', (provider) => {
  test('with one image: method, path, query, every header, and every byte of the form', async () => {
    const { received, events, attempt } = await edit(provider, editInputs([png]));
    expect(received).toEqual({
      method: 'POST',
      path: editsPath(provider),
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        'api-key': upstreamKey,
        connection: 'close',
        'content-length': expect.stringMatching(/^\d+$/),
        'content-type': expect.stringMatching(/^multipart\/form-data; boundary=gateway-[A-Za-z0-9_-]{32}$/),
        host,
        'user-agent': 'azure-image-gateway',
      },
      body: expect.any(Buffer),
    });
    expectForm(received, { ...fieldsOf(provider), prompt: 'a cat' }, [['image', 'image-1.png', 'image/png', image]]);
    expect(events).toEqual([
      { type: 'image', index: 0, isPartial: false },
      { type: 'bytes', base64: tinyPng },
      { type: 'image-end', index: 0 },
      { type: 'done', created: 1713833628 },
    ]);
    expect(attempt.sent).toBe(true);
  });

  test('with several images, a mask and a markup: fields first, files in their order', async () => {
    const overlays = { mask: imageInput(Buffer.from('mask')), markup: imageInput(Buffer.from('markup')) };
    const { received } = await edit(provider, editInputs([webp, png, jpeg], overlays), {
      prompt: 'ein Kätzchen\r\n--gateway-',
      count: 2,
      size: '1024x1024',
      outputCompression: 0,
      extra: { complexity: 'high' },
    });
    const utf8 = (text: string) => Buffer.from(text).toString();
    expectForm(
      received,
      {
        complexity: 'high',
        ...fieldsOf(provider),
        prompt: utf8('ein Kätzchen\r\n--gateway-'),
        n: '2',
        size: '1024x1024',
        output_compression: '0',
      },
      [
        ['image[]', 'image-1.webp', 'image/webp', Buffer.alloc(70_000, 7)],
        ['image[]', 'image-2.png', 'image/png', image],
        ['image[]', 'image-3.jpeg', 'image/jpeg', Buffer.from('a jpeg\r\n--gateway-\r\n')],
        ['mask', 'mask.png', 'image/png', Buffer.from('mask')],
        ['markup', 'markup.png', 'image/png', Buffer.from('markup')],
      ],
    );
  });

  test('has a boundary of its own in each call', async () => {
    const boundaries = [await edit(provider, editInputs([png])), await edit(provider, editInputs([png]))].map(
      ({ received }) => boundaryOf(received),
    );
    expect(new Set(boundaries).size).toBe(2);
  });

  test('never has response_format for models that refuse it, nor model where the path names it', async () => {
    const gateway = await startGateway(oneTarget(provider.target));
    const azure = mockAzure();
    azure.post(editsPath(provider), success);
    const response = await callEdits(gateway.url, { model: 'image', response_format: 'b64_json', n: '1' });
    expect(response.status).toBe(200);
    expectForm(azure.requests[0], { ...fieldsOf(provider), prompt: 'a cat' }, [
      ['image', 'image-1.png', 'image/png', image],
    ]);
  });

  test('has nothing of the caller but what was requested: neither headers nor file names', async () => {
    const gateway = await startGateway(oneTarget(provider.target));
    const azure = mockAzure();
    azure.post(editsPath(provider), success);
    const headers = {
      'x-api-key': 'caller-canary-key',
      cookie: 'caller-canary=1',
      'user-agent': 'caller-canary',
      'openai-organization': 'caller-canary',
      'x-request-id': 'caller-canary',
      'x-forwarded-for': '192.0.2.7',
      'x-target': 'caller-canary',
      'accept-language': 'caller-canary',
    };
    const file = { name: 'image', bytes: image, filename: '../caller-canary.exe', type: 'application/caller-canary' };
    const response = await callEdits(gateway.url, { model: 'image' }, [file], {
      headers,
      path: '/v1/images/edits?api-version=caller-canary',
    });
    expect(response.status).toBe(200);
    const [received] = azure.requests as [ReceivedRequest];
    expect(Object.keys(received.headers).sort()).toEqual([
      'accept',
      'accept-encoding',
      'api-key',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
    ]);
    const sent = `${received.path}${JSON.stringify(received.headers)}${(received.body as Buffer).toString('latin1')}`;
    expect(sent).not.toMatch(/caller-canary|gateway-key-canary|form-of-a-test/);
  });

  test('streamed: stream and partial_images are text like everything else', async () => {
    const gateway = await startGateway(oneTarget(provider.target));
    const azure = mockAzure();
    const completed = `data: {"type":"image_edit.completed","b64_json":"${tinyPng}"}\n\n`;
    azure.post(editsPath(provider), { body: completed, headers: { 'content-type': 'text/event-stream' } });
    const response = await callEdits(gateway.url, { model: 'image', stream: 'true', partial_images: '2' });
    expectForm(azure.requests[0], { ...fieldsOf(provider), prompt: 'a cat', stream: 'true', partial_images: '2' }, [
      ['image', 'image-1.png', 'image/png', image],
    ]);
    expect(response.text).toMatch(/^event: image_edit\.completed\n/);
    expect(response.text).toContain(tinyPng);
  });
});

describe('the response to an edit', () => {
  test('with base64: its images, usage and facts', async () => {
    const body = {
      created: 5,
      data: [{ b64_json: tinyPng }, { b64_json: otherPng, revised_prompt: 'a hat' }],
      usage: { input_tokens: 4, output_tokens: 5, total_tokens: 9 },
      size: '1024x1024',
      quality: 'high',
    };
    mockAzure().post(editsPath(azureV1), { body });
    const gateway = await startGateway(oneTarget(azureV1.target));
    const response = await callEdits(gateway.url, { n: '2' }, undefined, { path: '/m/image/v1/images/edits' });
    expect([response.status, JSON.parse(response.text)]).toEqual([200, body]);
  });

  test('with a link: it is given on as it is', async () => {
    const url = 'https://example.blob.core.windows.net/private/1.png?sig=a%2Fb';
    mockAzure().post(editsPath(azureV1), { body: { created: 5, data: [{ url }] } });
    const target = { ...azureV1.target, model: 'flux-kontext' };
    const gateway = await startGateway(oneTarget(target));
    const response = await callEdits(gateway.url, { model: 'image', response_format: 'url' });
    expect([response.status, JSON.parse(response.text)]).toEqual([200, { created: 5, data: [{ url }] }]);
  });

  const wrongType: AzureError = {
    name: 'a form whose type Azure denies now and then, as a 400',
    status: 400,
    body: {
      error: {
        message: "Unsupported content type: 'multipart/form-data'. This API method only accepts 'application/json'.",
        type: 'invalid_request_error',
        param: null,
        code: 'unsupported_content_type',
      },
    },
    kind: 'upstream_transient',
    outcome: 'not-processed',
    reported: { status: 502, type: 'server_error', code: 'upstream_unavailable' },
  };
  const errors = [...capturedErrors, ...otherErrors, wrongType].map(
    (error) => [`${error.status}: ${error.name}`, error] as const,
  );

  test.each(errors)('%s: rejects as a generation does, and nothing is sent again', async (_name, error) => {
    const azure = mockAzure();
    const { status, headers, body, isFramed = true } = error;
    azure.post(editsPath(azureDeployment), { status, body, isFramed, ...(headers && { headers }) });
    const { events, attempt } = startCall(azureDeployment, { request: { edit: editInputs([png]) } });
    const failure = await rejection(events);
    expect(failure).toBeInstanceOf(GatewayError);
    const { kind, outcome, param } = failure as GatewayError;
    expect({ kind, outcome, param }).toEqual({
      kind: error.kind ?? expect.stringMatching(/^upstream_refused_/),
      outcome: error.outcome,
      param: error.reported.param,
    });
    expect(attempt.sent).toBe(true);
    expect(azure.requests).toHaveLength(1);
  });

  test.each(errors)('%s: is reported to the caller as that of a generation', async (_name, error) => {
    const { status, headers, body, isFramed = true } = error;
    mockAzure().post(editsPath(azureDeployment), { status, body, isFramed, ...(headers && { headers }) });
    const gateway = await startGateway(oneTarget(azureDeployment.target));
    const response = await callEdits(gateway.url, { model: 'image' });
    const { reported } = error;
    const { type, code, param } = JSON.parse(response.text).error;
    expect({ status: response.status, type, code, param }).toEqual({
      status: reported.status,
      type: reported.type,
      code: reported.code,
      // A parameter that this caller has not sent is not named to it.
      param: reported.param === 'prompt' || reported.param === 'image' ? reported.param : null,
    });
    expect(response.headers.get('x-should-retry') ?? undefined).toBe(reported.shouldRetry);
    expect(response.headers.get('retry-after-ms') ?? undefined).toBe(reported.retryAfterMs?.toString());
    expect(response.text).not.toMatch(/canary|multipart/);
  });
});

describe('the target of an edit', () => {
  const elsewhere = 'https://other-resource-canary.openai.azure.com';
  const { maxRetries: _, ...target } = azureV1.target;
  const generating = { ...target, name: 'generating', capabilities: { operations: ['generate'] } };
  const editing = { ...target, baseURL: elsewhere, name: 'editing', capabilities: { operations: ['edit'] } };

  test('is the one that can edit, and generations go to the one that can generate, whatever their priority', async () => {
    const [here, there] = [mockAzure(), mockAzure(elsewhere)];
    const models = { image: { targets: [{ ...generating, priority: 3 }, editing] } };
    const gateway = await startGateway({ models });
    here.post(azureV1.paidPath, success);
    there.post(editsPath(azureV1), success);
    const edited = await callEdits(gateway.url, { model: 'image' });
    const generated = await fetch(`${gateway.url}/v1/images/generations`, {
      method: 'POST',
      headers: { 'api-key': gatewayKey, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'image', prompt: 'a cat' }),
    });
    await generated.text();
    expect([edited, generated].map(({ status, headers }) => [status, headers.get('x-gateway-target')])).toEqual([
      [200, 'editing'],
      [200, 'generating'],
    ]);
    expect([here.requests.length, there.requests.length]).toEqual([1, 1]);
  });

  test.each<[string, Record<string, unknown>]>([
    ['only generates by its capabilities', generating],
    ['is DALL·E 3', { ...azureDeployment.target, model: 'dall-e-3' }],
    ['is DALL·E 2', azureAsyncFlow.target],
    [
      'speaks azure-async, whatever its capabilities say',
      { ...azureAsyncFlow.target, capabilities: { operations: ['generate', 'edit'], maxInputs: 16 } },
    ],
    ['speaks azure-async for a model that edits', { ...azureAsyncFlow.target, model: 'gpt-image-2' }],
  ])('that %s: a 400 that names the model, and no call', async (_name, target) => {
    const azure = mockAzure();
    const gateway = await startGateway(oneTarget(target));
    const response = await callEdits(gateway.url, { model: 'image' });
    const { code, param, message } = JSON.parse(response.text).error;
    expect({ status: response.status, code, param, message }).toEqual({
      status: 400,
      code: 'unsupported_operation',
      param: 'model',
      message: "The model 'image' cannot edit images.",
    });
    expect(azure.requests).toEqual([]);
  });

  test('of a generation: one that only edits is a 400, too', async () => {
    const { name: _, ...target } = editing;
    const gateway = await startGateway(oneTarget(target));
    const response = await fetch(`${gateway.url}/m/image/v1/images/generations`, {
      method: 'POST',
      headers: { 'api-key': gatewayKey, 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'a cat' }),
    });
    expect([response.status, (await response.json()) as object]).toMatchObject([
      400,
      { error: { code: 'unsupported_operation', param: 'model' } },
    ]);
  });

  test('of DALL·E 3 edits when its operator says so', async () => {
    const azure = mockAzure();
    azure.post(editsPath(azureV1WithVersion), success);
    const capabilities = { operations: ['generate', 'edit'] };
    const target = { ...azureV1WithVersion.target, model: 'dall-e-3', capabilities };
    const gateway = await startGateway(oneTarget(target));
    expect((await callEdits(gateway.url, { model: 'image' })).status).toBe(200);
  });
});

const upload: FormPart = { name: 'image', bytes: image, filename: 'a.png', type: 'image/png' };

/** One edit through the gateway, as a form with a prompt. */
async function callEdits(
  url: string,
  values: Record<string, string>,
  files: readonly FormPart[] = [upload],
  { headers = {}, path = '/v1/images/edits' }: { headers?: Record<string, string>; path?: string } = {},
): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gatewayKey}`, ...formHeaders, ...headers },
    body: new Uint8Array(writeForm([...fields({ prompt: 'a cat', ...values }), ...files])),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
