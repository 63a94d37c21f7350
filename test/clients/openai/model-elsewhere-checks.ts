import { expectBase64, inputImage } from '../images.ts';
import { expectAzureImage, gatewayKey, startRig } from '../rig.ts';
import type { OpenAIClient, OpenAIPackage } from './sdk.ts';

/** Checks of the ways to choose a model for callers whose requests cannot name one. */
export function modelElsewhereChecks({ OpenAI, toFile }: OpenAIPackage) {
  async function checkBoth(connect: (url: string) => OpenAIClient) {
    const rig = await startRig();
    const client = connect(rig.url);
    const image = await toFile(await inputImage(), 'teal.png', { type: 'image/png' });
    const generated = await client.images.generate({ prompt: 'a cat' });
    const edited = await client.images.edit({ prompt: 'a hat', image });
    for (const { data } of [generated, edited]) await expectBase64(data?.[0]?.b64_json, '1024x1024');
    expectAzureImage(rig, 2);
  }

  return {
    'a prefix that names the model': () =>
      checkBoth((url) => new OpenAI({ baseURL: `${url}/m/azure-image/v1`, apiKey: gatewayKey })),
    'the header x-target': () =>
      checkBoth((url) => {
        const defaultHeaders = { 'x-target': 'azure-image' };
        return new OpenAI({ baseURL: `${url}/v1`, apiKey: gatewayKey, defaultHeaders });
      }),
    'the path of Azure’s v1 API': () =>
      checkBoth((url) => {
        const defaultHeaders = { 'x-target': 'azure-image' };
        return new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: gatewayKey, defaultHeaders });
      }),
  };
}
