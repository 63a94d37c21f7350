import {
  AzureKeyCredential,
  type ImageLocation,
  type ImagePayload,
  OpenAIClient,
  type OpenAIClientOptions,
} from '@azure/openai';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { expectBase64, expectLink } from '../images.ts';
import { losesFirstResponse, submitsOf } from '../lossy-front.ts';
import { expectAzureImage, expectOnePaid, expectPaid, gatewayKey, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';

const connect = (endpoint: string, options: OpenAIClientOptions = {}, key = gatewayKey) =>
  new OpenAIClient(endpoint, new AzureKeyCredential(key), { allowInsecureConnection: true, ...options });

const startJobsRig = () => startRig({ keepsJobs: true });

async function expectLinks({ data }: { readonly data: unknown[] }, count: number, size = '1024x1024'): Promise<void> {
  expect(data).toHaveLength(count);
  for (const { url } of data as ImageLocation[]) await expectLink(url, size);
}

type Seen = { readonly status: number; readonly retryAfter: string | undefined };

/** An option of the client that remembers the responses that it gets. */
function remembering(seen: Seen[]): OpenAIClientOptions {
  const policy: NonNullable<OpenAIClientOptions['additionalPolicies']>[number]['policy'] = {
    name: 'remember',
    async sendRequest(request, next) {
      const response = await next(request);
      seen.push({ status: response.status, retryAfter: response.headers.get('retry-after') });
      return response;
    },
  };
  return { additionalPolicies: [{ policy, position: 'perRetry' }] };
}

/** Checks of Azure's own client, whose `getImages` submits and polls up to this version. */
export const azureOpenaiBetaSuite: Suite = {
  async base64() {
    const rig = await startJobsRig();
    const { data } = await connect(rig.url).getImages('a cat', { responseFormat: 'b64_json' });
    expect(data).toHaveLength(1);
    for (const { base64Data } of data as ImagePayload[]) await expectBase64(base64Data, '1024x1024');
    expectOnePaid(rig);
  },

  url: {
    async 'with nothing chosen'() {
      const rig = await startJobsRig();
      await expectLinks(await connect(rig.url).getImages('a cat'), 1);
      expect(rig.calls[0]?.path).toBe('/openai/images/generations:submit?api-version=2023-08-01-preview');
      expectOnePaid(rig);
    },
    async 'polled as often as the gateway says'() {
      const rig = await startJobsRig();
      const seen: Seen[] = [];
      await expectLinks(await connect(rig.url, remembering(seen)).getImages('simulate:slow-1500'), 1);
      const [submitted, ...polls] = seen;
      expect(submitted).toEqual({ status: 202, retryAfter: '1' });
      expect(polls.pop()).toEqual({ status: 200, retryAfter: undefined });
      expect(polls.length).toBeGreaterThan(0);
      for (const poll of polls) expect(poll).toEqual({ status: 200, retryAfter: '1' });
      expectOnePaid(rig);
    },
  },

  several: {
    async 'three of gpt-image, in one call'() {
      const rig = await startJobsRig();
      await expectLinks(await connect(rig.url).getImages('a cat', { n: 3 }), 3);
      expectPaid(rig, { received: 1, billed: 1, images: 3 });
    },
    async 'two of dall-e-3, in two calls'() {
      const rig = await startJobsRig();
      await expectLinks(await connect(`${rig.url}/m/dall-e-3`).getImages('a cat', { n: 2 }), 2);
      expectPaid(rig, { received: 2, billed: 2, images: 2 });
    },
  },

  async options() {
    const rig = await startJobsRig();
    const options = { size: '1024x1536', responseFormat: 'url', user: 'somebody' };
    await expectLinks(await connect(rig.url).getImages('a cat', options), 1, '1024x1536');
    expect(rig.paidCalls()[0]?.body).toMatchObject({ size: '1024x1536', user: 'somebody' });
    expectOnePaid(rig);
  },

  errors: {
    async 'a prompt that Azure refuses'() {
      const rig = await startJobsRig();
      const error = await failure(connect(rig.url).getImages('simulate:moderation-blocked'));
      expect(error).toEqual({ code: 'contentFilter', message: expect.stringContaining('safety') });
      expectPaid(rig, { received: 1, billed: 0, images: 0 });
    },
    async 'a value that no model takes'() {
      const rig = await startJobsRig();
      const error = await failure(connect(rig.url).getImages('a cat', { n: 11 }));
      expect(error).toMatchObject({ code: expect.any(String), message: expect.stringContaining('n') });
      expectPaid(rig, { received: 0, billed: 0, images: 0 });
    },
    async 'a wrong key'() {
      const rig = await startJobsRig();
      const error = await failure(connect(rig.url, {}, 'wrong').getImages('a cat'));
      expect(error).toMatchObject({ code: expect.any(String), message: expect.stringContaining('key') });
      expectPaid(rig, { received: 0, billed: 0, images: 0 });
    },
  },

  billedOnce: {
    async 'when the response to the submit is lost, with an Operation-Id'() {
      const rig = await startJobsRig();
      const requestOptions = { headers: { 'Operation-Id': '0f2d1f6a-9f4c-4c0e-9a53-5f7f0c0f4b11' } };
      const client = connect(await losesFirstResponse(rig.url), { retryOptions: { retryDelayInMs: 20 } });
      await expectLinks(await client.getImages('a cat', { requestOptions }), 1);
      expect(submitsOf(rig)).toHaveLength(2);
      expectOnePaid(rig);
    },
    async 'and without one: the retry has the id of the first request'() {
      const rig = await startJobsRig();
      const client = connect(await losesFirstResponse(rig.url), { retryOptions: { retryDelayInMs: 20 } });
      await expectLinks(await client.getImages('a cat'), 1);
      await expect.poll(() => rig.inFlight()).toBe(0);
      expect(submitsOf(rig)).toHaveLength(2);
      expectOnePaid(rig);
    },
  },

  async addresses() {
    const rig = await startJobsRig();
    await expectLinks(await connect(`${rig.url}/m/azure-image`).getImages('a cat'), 1);
    expectAzureImage(rig, 1);
  },
};
