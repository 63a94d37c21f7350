import { expect } from 'vitest';
import { expectBase64, inputImage } from '../images.ts';
import { chatKey, type Received } from '../responses/chat-resource.ts';
import { startForwarding } from '../responses/forwarding-rig.ts';
import type { ResponsesSuite } from '../responses/responses-matrix.ts';
import { expectOnePaid, expectPaid, gatewayKey } from '../rig.ts';
import { expectUploaded } from '../uploads.ts';
import { postJson, readResponse } from './images-response.ts';

/** It adds each path to the one base URL of its provider. */
const post = (url: string, path: string, body: object, key = gatewayKey) =>
  postJson(`${url}/v1/${path}`, { authorization: `Bearer ${key}`, originator: 'codex_cli_rs' }, body);

const wanted = { background: 'auto', model: 'gpt-image-1', quality: 'auto', size: 'auto' };

/** A turn of its chat model, which has tools of its own. */
const turn = {
  model: 'gpt-5.5-codex',
  instructions: 'You are a coding agent.',
  input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Draw a logo.' }] }],
  tools: [
    { type: 'function', name: 'exec_command', strict: false, parameters: { type: 'object', properties: {} } },
    { type: 'image_generation', output_format: 'png' },
  ],
  tool_choice: 'auto',
  parallel_tool_calls: true,
  reasoning: { effort: 'medium' },
  store: true,
  stream: true,
  include: ['reasoning.encrypted_content'],
  prompt_cache_key: '0198c0de',
};

/** Its chat model is at Azure, behind the gateway; its own image tool calls the Images API at the same base URL. */
export const codexSuite: ResponsesSuite = {
  images: {
    async 'a generation'() {
      const { azure, rig } = await startForwarding();
      const response = await post(rig.url, 'images/generations', { prompt: 'a logo', ...wanted });
      const { data } = await readResponse(response);
      await expectBase64(data[0]?.b64_json, '1024x1024');
      expect(azure.received).toEqual([]);
      expectOnePaid(rig);
    },
    async 'an edit, with its images in JSON'() {
      const { azure, rig } = await startForwarding();
      const madeImages = await Promise.all(['teal', 'coral'].map((colour) => inputImage(colour)));
      const images = madeImages.map((bytes) => ({ image_url: `data:image/png;base64,${bytes.toString('base64')}` }));
      const response = await post(rig.url, 'images/edits', { images, prompt: 'one logo of both', ...wanted });
      const { data } = await readResponse(response);
      await expectBase64(data[0]?.b64_json, '1024x1024');
      expectUploaded(rig, madeImages);
      expect(azure.received).toEqual([]);
      expectOnePaid(rig);
    },
  },
  async forwarded() {
    const { azure, rig } = await startForwarding();
    const response = await post(rig.url, 'responses', turn);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await response.text()).toContain(azure.image.toString('base64'));
    expect(azure.received).toHaveLength(1);
    const { url, headers, body } = azure.received[0] as Received;
    expect([url, body]).toEqual(['/openai/v1/responses', JSON.stringify(turn)]);
    expect(headers).toMatchObject({ 'api-key': chatKey, 'x-ms-oai-image-generation-deployment': 'gpt-image-1.5' });
    expect(headers).not.toHaveProperty('originator');
    expectPaid(rig, { received: 0, billed: 0, images: 0 });
  },
  async errors() {
    const { azure, rig } = await startForwarding();
    const calls = { 'images/generations': { prompt: 'a logo', ...wanted }, responses: turn };
    for (const [path, body] of Object.entries(calls)) {
      const response = await post(rig.url, path, body, 'wrong');
      expect([path, response.status]).toEqual([path, 401]);
    }
    expect(azure.received).toEqual([]);
    expectPaid(rig, { received: 0, billed: 0, images: 0 });
  },
};
