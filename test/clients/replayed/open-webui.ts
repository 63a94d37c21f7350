import { expect } from 'vitest';
import { expectBase64, expectLink, inputImage } from '../images.ts';
import { awkwardNames, expectOnePaid, expectPaid, gatewayKey, type Rig, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import { postJson, readResponse } from './images-response.ts';

const authorization = { Authorization: `Bearer ${gatewayKey}` };

/** Whom the image is for; it can be told to send this along. */
const userHeaders = { 'X-OpenWebUI-User-Name': 'Some%20Body', 'X-OpenWebUI-User-Id': 'u-1' };

/** It requests base64, unless the model's name looks like one that has nothing else. */
const formatFor = (model: string) => (/^gpt-image/.test(model) ? {} : { response_format: 'b64_json' });

/** What it sends to make images; `extra` are parameters that its operator has set. */
function generate({ url }: Rig, request: Record<string, unknown> & { model?: string } = {}) {
  const { model = 'image', prompt = 'a cat', n = 1, size = '512x512', ...extra } = request;
  const body = { model, prompt, n, size, ...formatFor(model), ...extra };
  return postJson(`${url}/v1/images/generations`, { ...authorization, ...userHeaders }, body);
}

/** What it sends to edit them. */
function edit({ url }: Rig, images: readonly Buffer[], { model = 'image', n = 1, ...extra } = {}) {
  const form = new FormData();
  const fields = { model, prompt: 'a hat', n, size: '1024x1024', background: 'auto', ...formatFor(model), ...extra };
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  const part = images.length === 1 ? 'image' : 'image[]';
  for (const bytes of images) form.append(part, new Blob([new Uint8Array(bytes)], { type: 'image/png' }), 'c0ffee.png');
  return fetch(`${url}/v1/images/edits`, { method: 'POST', headers: authorization, body: form });
}

/** It follows a link before it looks for base64, with the key in the header, and wants an image there. */
async function expectShown(response: Response, size: string, count = 1): Promise<void> {
  expect(response.status).toBe(200);
  const { data } = await readResponse(response);
  expect(data).toHaveLength(count);
  for (const { url, b64_json } of data) {
    if (url) await expectLink(url, size, authorization);
    else await expectBase64(b64_json, size);
  }
}

export const openWebuiSuite: Suite = {
  base64: {
    async 'with its own size and format'() {
      const rig = await startRig();
      await expectShown(await generate(rig), '1024x1024');
      expectOnePaid(rig);
    },
    async 'of dall-e-3'() {
      const rig = await startRig();
      await expectShown(await generate(rig, { model: 'dall-e-3', size: '1024x1024' }), '1024x1024');
      expectOnePaid(rig);
    },
    async 'of a model whose name begins with gpt-image'() {
      const rig = await startRig();
      await expectShown(await generate(rig, { model: 'gpt-image-1', size: '1536x1024' }), '1536x1024');
      expectOnePaid(rig);
    },
  },

  async url() {
    const rig = await startRig();
    const response = await generate(rig, { model: 'gpt-image-1', response_format: 'url' });
    expect((await readResponse(response.clone())).data[0]?.url).toMatch(/^http/);
    await expectShown(response, '1024x1024');
    expectOnePaid(rig);
  },

  async several() {
    const rig = await startRig();
    await expectShown(await generate(rig, { n: 3 }), '1024x1024', 3);
    expectPaid(rig, { received: 1, billed: 1, images: 3 });
  },

  async options() {
    const rig = await startRig();
    await expectShown(await generate(rig, { size: '1024x1536', quality: 'low', moderation: 'low' }), '1024x1536');
    expect(rig.paidCalls()[0]?.body).toMatchObject({ quality: 'low', moderation: 'low' });
  },

  edit: {
    async 'one image'() {
      const rig = await startRig();
      const made = await inputImage();
      await expectShown(await edit(rig, [made]), '1024x1024');
      expectUploaded(rig, [made]);
      expectOnePaid(rig);
    },
    async 'three images of it, of a model whose name begins with gpt-image'() {
      const rig = await startRig();
      await expectShown(await edit(rig, [await inputImage()], { model: 'gpt-image-1', n: 3 }), '1024x1024', 3);
      expectPaid(rig, { received: 1, billed: 1, images: 3 });
    },
  },

  async editSeveral() {
    const rig = await startRig();
    const madeImages = await Promise.all(['teal', 'coral'].map((colour) => inputImage(colour)));
    await expectShown(await edit(rig, madeImages), '1024x1024');
    expectUploaded(rig, madeImages);
    expectOnePaid(rig);
  },

  // It shows the reason phrase of a failure and nothing else.
  errors: {
    async 'a model that does not exist'() {
      const response = await generate(await startRig(), { model: 'nobody' });
      expect([response.status, response.statusText]).toEqual([404, 'Not Found']);
    },
    async 'a prompt that Azure refuses'() {
      const response = await generate(await startRig(), { prompt: 'simulate:moderation-blocked' });
      expect([response.status, response.statusText]).toEqual([400, 'Bad Request']);
    },
    async 'too many requests'() {
      const response = await generate(await startRig(), { prompt: 'simulate:429-ms-20' });
      expect([response.status, response.statusText]).toEqual([429, 'Too Many Requests']);
    },
  },

  addresses: {
    async 'names with a slash and with a blank'() {
      const rig = await startRig();
      for (const model of awkwardNames) await expectShown(await generate(rig, { model }), '1024x1024');
      expectPaid(rig, { received: 2, billed: 2, images: 2 });
    },
    async 'an api-version behind the address'() {
      const rig = await startRig();
      const body = { model: 'image', prompt: 'a cat', n: 1, size: '512x512', response_format: 'b64_json' };
      const address = `${rig.url}/v1/images/generations?api-version=2025-04-01-preview`;
      await expectShown(await postJson(address, authorization, body), '1024x1024');
      expectOnePaid(rig);
    },
  },
};
