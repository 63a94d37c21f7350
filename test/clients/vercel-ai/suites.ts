import { createAzure } from '@ai-sdk/azure';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateImage } from 'ai';
import { expect } from 'vitest';
import { expectImage } from '../images.ts';
import { expectOnePaid, gatewayKey, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { imageChecks } from './image-checks.ts';

const camelCase = { quality: 'low', outputFormat: 'jpeg', user: 'somebody', moderation: 'low' };

const openai = (url: string, apiKey = gatewayKey) => createOpenAI({ baseURL: `${url}/v1`, apiKey });

export const aiOpenaiSuite: Suite = imageChecks({
  model: (url, name, apiKey) => openai(url, apiKey).image(name),
  options: { openai: camelCase },
  imagesPerCall: { image: 1, 'gpt-image-1': 10 },
});

const azure = (url: string, apiKey = gatewayKey) => createAzure({ baseURL: `${url}/openai/v1`, apiKey });

const azureChecks = imageChecks({
  model: (url, name, apiKey) => azure(url, apiKey).image(name),
  options: { openai: camelCase },
  imagesPerCall: { image: 1, 'gpt-image-1': 10 },
});

const deploymentChecks = imageChecks({
  model: (url, name, apiKey = gatewayKey) =>
    createAzure({ baseURL: `${url}/openai`, apiKey, useDeploymentBasedUrls: true }).image(name),
  options: { openai: camelCase },
  imagesPerCall: { image: 1, 'gpt-image-1': 10 },
});

export const aiAzureSuite: Suite = {
  ...azureChecks,
  addresses: {
    ...azureChecks.addresses,
    ...Object.fromEntries(
      Object.entries(deploymentChecks.addresses).map(([name, check]) => [`deployment-based URLs: ${name}`, check]),
    ),
    'deployment-based URLs: generation': deploymentChecks.base64,
    'deployment-based URLs: edit': deploymentChecks.edit,
    'deployment-based URLs: mask': deploymentChecks.mask,
  },
};

const compatible = (url: string, apiKey = gatewayKey) =>
  createOpenAICompatible({ name: 'gateway', baseURL: `${url}/v1`, apiKey });

export const aiCompatibleSuite: Suite = {
  ...imageChecks({
    model: (url, name, apiKey) => compatible(url, apiKey).imageModel(name),
    options: { gateway: { quality: 'low', output_format: 'jpeg', user: 'somebody' } },
    imagesPerCall: { image: 10, 'gpt-image-1': 10 },
  }),
  async url() {
    const rig = await startRig();
    const { image } = await generateImage({
      model: compatible(rig.url).imageModel('image'),
      prompt: 'a cat',
      providerOptions: { gateway: { response_format: 'url' } },
    });
    await expectImage(image.uint8Array, '1024x1024');
    expect(rig.calls.map(({ method }) => method)).toEqual(['POST', 'GET']);
    expectOnePaid(rig);
  },
};
