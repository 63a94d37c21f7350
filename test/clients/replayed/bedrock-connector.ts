import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { expectBase64, expectLink } from '../images.ts';
import { packages } from '../openai/sdk.ts';
import { expectAzureImage, expectOnePaid, expectPaid, gatewayKey, type Rig, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';

const { AzureOpenAI, BadRequestError, RateLimitError } = packages[4];

/** What the connector makes of its configuration: three attempts and ten minutes are its own numbers. */
function connect(baseURL: string) {
  const options = { baseURL, apiKey: gatewayKey, apiVersion: '2025-01-01-preview', maxRetries: 2, timeout: 600_000 };
  return new AzureOpenAI(options as ConstructorParameters<typeof AzureOpenAI>[0]);
}

const deploymentOf = ({ url }: Rig, name = 'azure-image') => connect(`${url}/openai/deployments/${name}`);

/** It forwards these parameters and no others, and takes the model's name from its own configuration. */
const request = { prompt: 'A cute cate', model: 'gpt-image-1', n: 1, size: '1024x1024' } as const;

async function checkAddress(path: string, expected: string) {
  const rig = await startRig();
  const response = await connect(`${rig.url}${path}`).images.generate({ ...request, model: 'azure-image' });
  await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
  expect(rig.calls[0]?.path).toBe(`${expected}/images/generations?api-version=2025-01-01-preview`);
  expectAzureImage(rig, 1);
}

export const bedrockConnectorSuite: Suite = {
  async base64() {
    const rig = await startRig();
    const response = await deploymentOf(rig).images.generate(request);
    await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
    const path = '/openai/deployments/azure-image/images/generations?api-version=2025-01-01-preview';
    expect(rig.calls).toMatchObject([{ path, headers: { 'api-key': gatewayKey, 'x-stainless-timeout': '600' } }]);
    expectAzureImage(rig, 1);
  },

  async url() {
    const rig = await startRig();
    const response = await deploymentOf(rig).images.generate({ ...request, response_format: 'url' });
    await expectLink(response.data?.[0]?.url, '1024x1024');
    expectOnePaid(rig);
  },

  async several() {
    const rig = await startRig();
    const response = await deploymentOf(rig).images.generate({ ...request, n: 3 });
    for (const { b64_json } of response.data ?? []) await expectBase64(b64_json, '1024x1024');
    expectPaid(rig, { received: 1, billed: 1, images: 3 });
  },

  async options() {
    const rig = await startRig();
    const options = { quality: 'hd', style: 'natural', size: '1792x1024', user: 'somebody' } as const;
    const response = await deploymentOf(rig, 'dall-e-3').images.generate({ ...request, model: 'dall-e-3', ...options });
    await expectLink(response.data?.[0]?.url, '1792x1024');
    expect(rig.paidCalls()[0]?.body).toMatchObject(options);
    expectOnePaid(rig);
  },

  errors: {
    async 'a prompt that moderation refuses'() {
      const rig = await startRig();
      const call = deploymentOf(rig).images.generate({ ...request, prompt: 'simulate:moderation-blocked' });
      const error = await failure(call);
      expect(error).toBeInstanceOf(BadRequestError);
      expect(error).toMatchObject({ code: 'moderation_blocked' });
    },
    async 'too many requests'() {
      const rig = await startRig();
      const call = deploymentOf(rig).images.generate({ ...request, prompt: 'simulate:429-ms-20' });
      expect(await failure(call)).toBeInstanceOf(RateLimitError);
    },
  },

  async billedOnce() {
    for (const name of ['500-html', '504', 'reset-before-headers']) {
      const rig = await startRig();
      await failure(deploymentOf(rig).images.generate({ ...request, prompt: `simulate:${name}` }));
      expect(rig.simulator.ledger.received).toBe(1);
    }
  },

  addresses: {
    'baseURL of a deployment': () => checkAddress('/openai/deployments/azure-image', '/openai/deployments/azure-image'),
    'baseURL that ends in /openai': () => checkAddress('/openai', '/openai/deployments/azure-image'),
    'baseURL that ends in /v1': () => checkAddress('/v1', '/v1/deployments/azure-image'),
  },
};
