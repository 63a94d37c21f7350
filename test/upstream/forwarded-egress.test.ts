import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';
import { createPassThrough } from '../../src/upstream/azure-pass-through.ts';
import { createUpstreamClient } from '../../src/upstream/client.ts';
import { keyCredential } from '../../src/upstream/credential.ts';
import { startConnectProxy } from '../helpers/connect-proxy.ts';

test('a forwarded request takes the way of the egress proxy, and says so where that is closed', async () => {
  const proxy = await startConnectProxy({ refusal: 403 });
  const client = createUpstreamClient({}, { origin: proxy.origin });
  onTestFinished(() => client.close());
  const { send } = createPassThrough({
    client,
    credential: keyCredential(new Secret('azure-key')),
    baseURL: 'https://res.openai.azure.com/openai/v1',
    imageDeployment: undefined,
    faultOf: () => ({}),
  });
  const call = { sent: false };
  const signal = new AbortController().signal;
  await expect(
    send({ method: 'POST', path: '/responses', search: '', headers: {}, signal, call }),
  ).rejects.toMatchObject({
    kind: 'upstream_unavailable',
    outcome: 'not-processed',
    message: expect.stringContaining('through the proxy'),
  });
  expect(proxy.requests.map(({ authority }) => authority)).toEqual(['res.openai.azure.com:443']);
  expect([proxy.bytes(), call.sent]).toEqual(['', false]);
});
