import { expect, onTestFinished, test } from 'vitest';
import type { PassThroughRequest } from '../../src/domain/pass-through.ts';
import { Secret } from '../../src/domain/secret.ts';
import { forwardedFault } from '../../src/providers/azure/forwarded-fault.ts';
import { createPassThrough } from '../../src/upstream/azure-pass-through.ts';
import { createUpstreamClient } from '../../src/upstream/client.ts';
import { type Credential, keyCredential, withHeaders } from '../../src/upstream/credential.ts';
import { azureOrigin, mockAzure } from './mock-azure.ts';

const key = keyCredential(new Secret('azure-key'));

async function* oneChunk(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

/** Sends one request to the mocked Azure, and gives what that got. */
async function send(
  request: Partial<PassThroughRequest>,
  { imageDeployment, credential = key }: { imageDeployment?: string; credential?: Credential } = {},
) {
  const client = createUpstreamClient();
  onTestFinished(() => client.close());
  const baseURL = `${azureOrigin}/openai/v1`;
  const passThrough = createPassThrough({ client, credential, baseURL, imageDeployment, faultOf: forwardedFault });
  const azure = mockAzure();
  const { method = 'POST', path = '/responses', search = '' } = request;
  const expected = `/openai/v1${path}${search}`;
  if (method === 'POST') azure.post(expected, { body: { id: 'resp_1' } });
  else azure.get(expected, { body: { id: 'resp_1' } });
  const response = await passThrough.send({
    ...{ method, path, search, headers: {}, signal: new AbortController().signal, call: { sent: false } },
    ...request,
  });
  await Array.fromAsync(response.body);
  return { azure, response, sent: azure.requests[0] };
}

const fromEverybody = {
  accept: 'application/json',
  'accept-encoding': 'identity',
  connection: 'close',
  host: new URL(azureOrigin).host,
  'user-agent': 'azure-image-gateway',
};

test('a request of an agent: every header, and the bytes of its body as they are', async () => {
  const text = '{ "model": "chat",\n"tools": [{"type": "image_generation"}], "input": "é" }';
  const headers = {
    authorization: 'Bearer gateway-key',
    'api-key': 'gateway-key',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    'user-agent': 'codex',
    'x-stainless-lang': 'js',
    'openai-beta': 'responses=v1',
    'idempotency-key': 'of the client',
    'x-ms-oai-image-generation-deployment': 'of the client',
  };
  const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
  const { azure, response, sent } = await send(
    { headers, body: oneChunk(text), call: { sent: false, traceparent } },
    { imageDeployment: 'img-east' },
  );
  expect(response).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
  expect(azure.texts).toEqual([text]);
  expect(sent).toEqual({
    method: 'POST',
    path: '/openai/v1/responses',
    headers: {
      ...fromEverybody,
      'api-key': 'azure-key',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'openai-beta': 'responses=v1',
      traceparent,
      'x-ms-oai-image-generation-deployment': 'img-east',
    },
    body: JSON.parse(text),
  });
});

test('a request for a stored response: its query, and nothing about images', async () => {
  const { sent } = await send(
    {
      method: 'GET',
      path: '/responses/resp_1',
      search: '?stream=true&starting_after=4',
      headers: { accept: 'text/event-stream' },
    },
    { imageDeployment: 'img-east' },
  );
  expect(sent).toEqual({
    method: 'GET',
    path: '/openai/v1/responses/resp_1?stream=true&starting_after=4',
    headers: { ...fromEverybody, 'api-key': 'azure-key', accept: 'text/event-stream' },
    body: undefined,
  });
});

test('a cancel without a body, with a token, and with the headers of a front door', async () => {
  const token: Credential = {
    show: async () => ({ header: { authorization: 'Bearer token' }, refused: () => 'never' }),
  };
  const { sent } = await send(
    { path: '/responses/resp_1/cancel' },
    { credential: withHeaders(token, { 'front-door-key': new Secret('door') }) },
  );
  expect(sent).toEqual({
    method: 'POST',
    path: '/openai/v1/responses/resp_1/cancel',
    headers: { ...fromEverybody, authorization: 'Bearer token', 'front-door-key': 'door', 'content-length': '0' },
    body: undefined,
  });
});
