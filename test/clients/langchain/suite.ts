import { DallEAPIWrapper } from '@langchain/openai';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { expectBase64, expectLink } from '../images.ts';
import { awkwardNames, expectOnePaid, expectPaid, gatewayKey, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';

type Fields = NonNullable<ConstructorParameters<typeof DallEAPIWrapper>[0]>;

const tool = (url: string, fields: Fields = {}) =>
  new DallEAPIWrapper({ baseUrl: `${url}/v1`, apiKey: gatewayKey, ...fields });

/** LangChain's tool, which always sends `style`, `quality`, `size` and `response_format`. */
export const langchainSuite: Suite = {
  base64: {
    async 'of dall-e-3, its default model'() {
      const rig = await startRig();
      await expectBase64(await tool(rig.url, { dallEResponseFormat: 'b64_json' }).invoke('a cat'), '1024x1024');
      expectOnePaid(rig);
    },
    async 'of gpt-image'() {
      const rig = await startRig();
      const wrapper = tool(rig.url, { model: 'image', dallEResponseFormat: 'b64_json' });
      await expectBase64(await wrapper.invoke('a cat'), '1024x1024');
      expectOnePaid(rig);
    },
  },

  url: {
    async 'of dall-e-3, with nothing chosen'() {
      const rig = await startRig();
      await expectLink(await tool(rig.url).invoke('a cat'), '1024x1024');
      expectOnePaid(rig);
    },
    async 'of gpt-image'() {
      const rig = await startRig();
      await expectLink(await tool(rig.url, { model: 'image' }).invoke('a cat'), '1024x1024');
      expectOnePaid(rig);
    },
  },

  several: {
    async 'as links'() {
      const rig = await startRig();
      const items = (await tool(rig.url, { n: 3 }).invoke('a cat')) as unknown as { image_url: string }[];
      expect(items).toHaveLength(3);
      for (const { image_url } of items) await expectLink(image_url, '1024x1024');
      expectPaid(rig, { received: 3, billed: 3, images: 3 });
    },
    async 'as base64'() {
      const rig = await startRig();
      const wrapper = tool(rig.url, { n: 3, dallEResponseFormat: 'b64_json' });
      const items = (await wrapper.invoke('a cat')) as unknown as { image_url: { url: string } }[];
      expect(items).toHaveLength(3);
      for (const { image_url } of items) await expectBase64(image_url.url, '1024x1024');
      expectPaid(rig, { received: 3, billed: 3, images: 3 });
    },
  },

  async options() {
    const rig = await startRig();
    const wrapper = tool(rig.url, { size: '1792x1024', quality: 'hd', style: 'natural', user: 'somebody' });
    await expectLink(await wrapper.invoke('a cat'), '1792x1024');
    expect(rig.paidCalls()[0]?.body).toMatchObject({ quality: 'hd', style: 'natural', user: 'somebody' });
    expectOnePaid(rig);
  },

  errors: {
    async 'a model that does not exist'() {
      const { url } = await startRig();
      const error = await failure(tool(url, { model: 'nobody' }).invoke('a cat'));
      expect(error).toMatchObject({ status: 404, code: 'model_not_found' });
    },
    async 'a wrong key'() {
      const { url } = await startRig();
      const error = await failure(tool(url, { apiKey: 'wrong' }).invoke('a cat'));
      expect(error).toMatchObject({ status: 401, code: 'invalid_api_key' });
    },
    async 'a prompt that Azure refuses'() {
      const { url } = await startRig();
      const error = await failure(tool(url).invoke('simulate:filter-policy'));
      expect(error).toMatchObject({ status: 400, code: 'content_policy_violation' });
    },
  },

  async billedOnce() {
    for (const name of ['500-html', '504', 'reset-before-headers']) {
      const rig = await startRig();
      await failure(tool(rig.url).invoke(`simulate:${name}`));
      expect(rig.simulator.ledger.received).toBe(1);
    }
  },

  async addresses() {
    const rig = await startRig();
    for (const model of awkwardNames) await expectLink(await tool(rig.url, { model }).invoke('a cat'), '1024x1024');
    expectPaid(rig, { received: 2, billed: 2, images: 2 });
  },
};
