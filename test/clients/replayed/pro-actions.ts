import { expect } from 'vitest';
import { expectBase64, expectLink } from '../images.ts';
import { expectAzureImage, expectOnePaid, expectPaid, gatewayKey, type Rig, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { postJson, readResponse } from './images-response.ts';

const version = '2024-10-01-preview';

/** The step for Azure: the deployment stands in the path, whatever the body's model is. */
const viaAzure = ({ url }: Rig, deployment: string, body: object) =>
  postJson(
    `${url}/openai/deployments/${deployment}/images/generations?api-version=${version}`,
    { 'api-key': gatewayKey },
    { prompt: 'a cat', n: 1, ...body },
  );

/** The step for a hub: a header chooses, and the body may have no model. */
const viaHub = ({ url }: Rig, target: string, body: object) =>
  postJson(
    `${url}/v1/images/generations`,
    { authorization: `Bearer ${gatewayKey}`, 'x-target': target },
    { prompt: 'a cat', n: 1, ...body },
  );

/** It prefers a link to base64. */
async function expectUsed(response: Response, size: string, count = 1, format = 'png'): Promise<void> {
  expect(response.status).toBe(200);
  const { data } = await readResponse(response);
  expect(data).toHaveLength(count);
  for (const { url, b64_json } of data) {
    if (url) await expectLink(url, size);
    else await expectBase64(b64_json, size, format);
  }
}

export const proActionsSuite: Suite = {
  async base64() {
    const rig = await startRig();
    await expectUsed(await viaAzure(rig, 'image', { size: '1536x1024' }), '1536x1024');
    expectOnePaid(rig);
  },

  async url() {
    const rig = await startRig();
    const response = await viaAzure(rig, 'dall-e-3', { model: 'dall-e-3', response_format: 'url', style: 'vivid' });
    await expectUsed(response, '1024x1024');
    expectOnePaid(rig);
  },

  async several() {
    const rig = await startRig();
    await expectUsed(await viaAzure(rig, 'image', { n: 3 }), '1024x1024', 3);
    expectPaid(rig, { received: 1, billed: 1, images: 3 });
  },

  options: {
    async 'of gpt-image'() {
      const rig = await startRig();
      const options = { output_format: 'jpeg', background: 'opaque', user: 'somebody' };
      await expectUsed(await viaAzure(rig, 'image', options), '1024x1024', 1, 'jpeg');
      expect(rig.paidCalls()[0]?.body).toMatchObject(options);
      expectOnePaid(rig);
    },
    async 'of dall-e-3'() {
      const rig = await startRig();
      const options = { quality: 'hd', style: 'natural', size: '1792x1024' };
      await expectUsed(await viaAzure(rig, 'dall-e-3', options), '1792x1024');
      expect(rig.paidCalls()[0]?.body).toMatchObject(options);
      expectOnePaid(rig);
    },
    async 'and a seed, which the deployment does not have'() {
      const rig = await startRig();
      const response = await viaAzure(rig, 'image', { output_format: 'png', seed: 7 });
      expect(response.headers.get('x-gateway-adapted')).toBe('seed=removed');
      await expectUsed(response, '1024x1024');
      expectOnePaid(rig);
    },
  },

  errors: {
    async 'a deployment that does not exist'() {
      const response = await viaAzure(await startRig(), 'nobody', {});
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'DeploymentNotFound' } });
    },
    async 'a hub target that does not exist'() {
      const response = await viaHub(await startRig(), 'nobody', {});
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'model_not_found' } });
    },
  },

  addresses: {
    async 'Azure form, with the name of another model in the body'() {
      const rig = await startRig();
      await expectUsed(await viaAzure(rig, 'image', { model: 'dall-e-3' }), '1024x1024');
      expect(rig.simulator.ledger.counts().billedByDeployment).toEqual({ 'gpt-image-2': 1 });
    },
    async 'Azure form, of another model than the default one'() {
      const rig = await startRig();
      await expectUsed(await viaAzure(rig, 'azure-image', { model: 'dall-e-3' }), '1024x1024');
      expectAzureImage(rig, 1);
    },
    async 'hub form, without a model'() {
      const rig = await startRig();
      await expectUsed(await viaHub(rig, 'dall-e-3', {}), '1024x1024');
      expect(rig.simulator.ledger.counts().billedByDeployment).toEqual({ 'dall-e-3': 1 });
    },
  },
};
