import { expect } from 'vitest';
import { packages, type Sdk } from '../openai/sdk.ts';
import { expectAzureImage, gatewayKey } from '../rig.ts';
import { createChecks } from './create-checks.ts';
import { failureChecks } from './failure-checks.ts';
import { expectImageIn, startResponsesRig } from './response-image.ts';
import type { ResponsesSuite } from './responses-matrix.ts';
import { storedChecks } from './stored-checks.ts';
import { streamChecks } from './stream-checks.ts';

type Major = keyof typeof packages;
type Connecting = Pick<Sdk, 'package' | 'connect'>;

/** The class OpenAI of a major. */
export function openaiResponses(major: Major): ResponsesSuite {
  const { OpenAI } = packages[major];
  const connect: Sdk['connect'] = (url, apiKey = gatewayKey, options = {}) =>
    new OpenAI({ baseURL: `${url}/v1`, apiKey, ...options });
  return checksOf({ package: packages[major], connect }, '/v1/responses');
}

/** The class AzureOpenAI of a major, which calls no path of a deployment for responses. */
export function azureOpenaiResponses(major: Major): ResponsesSuite {
  const { AzureOpenAI } = packages[major];
  const apiVersion = '2025-04-01-preview';
  const connect: Sdk['connect'] = (url, apiKey = gatewayKey, options = {}) =>
    new AzureOpenAI({ endpoint: url, apiKey, apiVersion, deployment: 'ignored', ...options });
  return checksOf({ package: packages[major], connect }, `/openai/responses?api-version=${apiVersion}`);
}

function checksOf(sdk: Connecting, path: string): ResponsesSuite {
  return {
    ...createChecks(sdk),
    ...streamChecks(sdk),
    ...storedChecks(sdk),
    ...failureChecks(sdk),
    async addresses() {
      const rig = await startResponsesRig();
      await expectImageIn(await sdk.connect(rig.url).responses.create({ model: 'azure-image', input: 'a cat' }));
      await expectImageIn(await sdk.connect(`${rig.url}/m/azure-image`).responses.create({ input: 'a cat' }));
      expect(rig.calls.map((call) => call.path)).toEqual([path, `/m/azure-image${path}`]);
      expectAzureImage(rig, 2);
    },
  };
}
