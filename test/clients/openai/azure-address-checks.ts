import { expect } from 'vitest';
import { expectBase64, inputImage } from '../images.ts';
import { expectAzureImage, gatewayKey, startRig } from '../rig.ts';
import type { OpenAIPackage } from './sdk.ts';

const apiKey = gatewayKey;
const apiVersion = '2025-04-01-preview';

/** Checks of the other ways in which AzureOpenAI can be told where to go. */
export function azureAddressChecks({ AzureOpenAI, toFile }: OpenAIPackage) {
  async function checkBoth(
    connect: (url: string) => InstanceType<typeof AzureOpenAI>,
    request: object,
    path = '/openai/deployments/azure-image/images',
  ) {
    const rig = await startRig();
    const client = connect(rig.url);
    const wanted = { prompt: 'a cat', ...request };
    const generated = await client.images.generate(wanted);
    const image = await toFile(await inputImage(), 'teal.png', { type: 'image/png' });
    const edited = await client.images.edit({ ...wanted, image });
    for (const { data } of [generated, edited]) await expectBase64(data?.[0]?.b64_json, '1024x1024');
    expect(rig.calls[0]?.path).toBe(`${path}/generations?api-version=${apiVersion}`);
    expectAzureImage(rig, 2);
  }

  return {
    endpoint: () =>
      checkBoth((url) => new AzureOpenAI({ endpoint: url, apiKey, apiVersion }), { model: 'azure-image' }),
    'endpoint with a prefix that names the model': () =>
      checkBoth(
        (url) => new AzureOpenAI({ endpoint: `${url}/m/azure-image`, apiKey, apiVersion }),
        {},
        '/m/azure-image/openai/images',
      ),
    'option deployment': () =>
      checkBoth((url) => new AzureOpenAI({ endpoint: url, apiKey, apiVersion, deployment: 'azure-image' }), {}),
    'option deployment, with another model in the body': () =>
      checkBoth((url) => new AzureOpenAI({ endpoint: url, apiKey, apiVersion, deployment: 'azure-image' }), {
        model: 'ignored',
      }),
    'baseURL of a deployment': () =>
      checkBoth((url) => {
        const baseURL = `${url}/openai/deployments/azure-image`;
        return new AzureOpenAI({ baseURL, apiKey, apiVersion } as ConstructorParameters<typeof AzureOpenAI>[0]);
      }, {}),
    'a token provider': () =>
      checkBoth(
        (url) => {
          const azureADTokenProvider = async () => gatewayKey;
          return new AzureOpenAI({ endpoint: url, azureADTokenProvider, apiVersion });
        },
        { model: 'azure-image' },
      ),
  };
}
