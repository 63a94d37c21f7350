import { expect } from 'vitest';
import { expectBase64, inputImage } from '../images.ts';
import { packages } from '../openai/sdk.ts';
import { expectAzureImage, expectOnePaid, gatewayKey, type Rig, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import { postJson, readResponse } from './images-response.ts';
import { streamedForm } from './multipart.ts';

const bearer = { authorization: `Bearer ${gatewayKey}` };
const azureKey = { 'api-key': gatewayKey };

const wanted = {
  model: 'gpt-image-1',
  prompt: 'a cat',
  n: 1,
  background: 'auto',
  output_format: 'png',
  quality: 'auto',
  size: 'auto',
} as const;

const azurePath = '/openai/deployments/azure-image';

/** It makes images by the node SDK. */
const generate = ({ url }: Rig, request: object = {}) =>
  new packages[7].OpenAI({ baseURL: `${url}/v1`, apiKey: gatewayKey }).images.generate({ ...wanted, ...request });

/** It edits them by a form that is streamed, always with a list of images. */
async function edit(address: string, headers: Record<string, string>, images: readonly Buffer[]): Promise<Response> {
  const fields = { model: 'gpt-image-1', prompt: 'a hat', quality: 'auto', size: 'auto' };
  const files = images.map((bytes) => ({ name: 'image[]', filename: 'c0ffee.png', type: 'image/png', bytes }));
  const { contentType, body } = streamedForm(fields, files);
  const init = { method: 'POST', headers: { 'content-type': contentType, ...headers }, body, duplex: 'half' as const };
  return fetch(`${address}/images/edits`, init);
}

async function checkEdit(colours: readonly string[], address: (rig: Rig) => string, headers: Record<string, string>) {
  const rig = await startRig();
  const images = await Promise.all(colours.map((colour) => inputImage(colour)));
  const response = await edit(address(rig), headers, images);
  expect(response.status).toBe(200);
  await expectBase64((await readResponse(response)).data[0]?.b64_json, '1024x1024');
  expect(rig.calls[0]?.headers['transfer-encoding']).toBe('chunked');
  expectUploaded(rig, images);
  expectOnePaid(rig);
}

const plain = ({ url }: Rig) => `${url}/v1`;
const azure = ({ url }: Rig) => `${url}${azurePath}`;

export const librechatSuite: Suite = {
  async base64() {
    const rig = await startRig();
    const response = await generate(rig);
    await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
    expectOnePaid(rig);
  },

  async options() {
    const rig = await startRig();
    const response = await generate(rig, { output_format: 'jpeg', output_compression: 80, size: '1024x1536' });
    await expectBase64(response.data?.[0]?.b64_json, '1024x1536', 'jpeg');
    expectOnePaid(rig);
  },

  edit: () => checkEdit(['teal'], plain, bearer),
  editSeveral: () => checkEdit(['teal', 'coral', 'gold'], plain, bearer),
  editFile: () => checkEdit(['teal'], plain, bearer),

  async errors() {
    const { url } = await startRig();
    const response = await edit(`${url}/v1`, { authorization: 'Bearer wrong' }, [await inputImage()]);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
  },

  addresses: {
    async 'Azure mode, with both keys'() {
      const rig = await startRig();
      const address = `${azure(rig)}/images/generations?api-version=2025-04-01-preview`;
      const response = await postJson(address, { ...bearer, ...azureKey }, wanted);
      expect(response.status).toBe(200);
      await expectBase64((await readResponse(response)).data[0]?.b64_json, '1024x1024');
      expectAzureImage(rig, 1);
    },
    'Azure mode, edit': () => checkEdit(['teal'], azure, azureKey),
  },
};
