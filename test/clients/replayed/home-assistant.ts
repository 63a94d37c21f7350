import type { Response as OpenAIResponse, ResponseStreamEvent } from 'openai7/resources/responses/responses';
import { expect } from 'vitest';
import { readEvents } from '../../end-to-end/events.ts';
import { expectBase64, inputImage } from '../images.ts';
import { expectEvents } from '../responses/response-events.ts';
import { callIn, type ImageCall, paidOperations, startResponsesRig } from '../responses/response-image.ts';
import type { ResponsesSuite } from '../responses/responses-matrix.ts';
import { expectOnePaid, expectPaid, gatewayKey } from '../rig.ts';
import { expectUploaded } from '../uploads.ts';
import { postJson } from './images-response.ts';

type Item = Readonly<Record<string, unknown>>;

const says = (role: string, content: unknown): Item => ({ type: 'message', role, content });
const instruction = says('developer', 'You are Home Assistant.');

/** What its task "generate image" sends: the chat model of its settings, and the image tool, which it forces. */
const bodyOf = (input: readonly Item[]) => ({
  model: 'gpt-5.5',
  input,
  max_output_tokens: 3000,
  prompt_cache_key: '01JZ3V5T0Q',
  safety_identifier: '01JZ3V5T0Q',
  service_tier: 'auto',
  store: true,
  stream: true,
  reasoning: { effort: 'low', summary: 'auto' },
  include: ['reasoning.encrypted_content'],
  text: { verbosity: 'medium' },
  tools: [{ type: 'image_generation', model: 'gpt-image-1', input_fidelity: 'high', output_format: 'png' }],
  tool_choice: { type: 'image_generation' },
});

async function respond(url: string, input: readonly Item[], key = gatewayKey) {
  const response = await postJson(`${url}/v1/responses`, { authorization: `Bearer ${key}` }, bodyOf(input));
  const text = await response.text();
  const events = response.ok ? readEvents(text).map(({ data }) => data as unknown as ResponseStreamEvent) : [];
  return { response, text, events };
}

/** It splits `size` at the `x`, and takes the image from the item of `response.output_item.done`. */
function imageOf(made: OpenAIResponse): ImageCall {
  const call = callIn(made);
  expect(call.size?.split('x') ?? ['unknown', 'unknown']).toHaveLength(2);
  return call;
}

const ignored = ['model', 'max_output_tokens', 'reasoning', 'text', 'include', 'service_tier', 'prompt_cache_key'];

/** Its integration of OpenAI, and that of Azure, which sends the same. */
export const homeAssistantSuite: ResponsesSuite = {
  async create() {
    const rig = await startResponsesRig();
    const { response, events } = await respond(rig.url, [instruction, says('user', 'Draw a cat.')]);
    const made = await expectEvents(events, 0);
    imageOf(made);
    expect(made).toMatchObject({ model: 'image', safety_identifier: '01JZ3V5T0Q', store: true });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const adapted = response.headers.get('x-gateway-adapted')?.split(', ') ?? [];
    expect(adapted).toEqual(expect.arrayContaining(ignored.map((name) => `${name}=ignored`)));
    expect(rig.paidCalls()[0]?.body).toMatchObject({ prompt: 'You are Home Assistant.\n\nDraw a cat.' });
    expectOnePaid(rig);
  },
  async turns() {
    const rig = await startResponsesRig();
    const first = [instruction, says('user', 'Draw a cat.')];
    const call = imageOf(await expectEvents((await respond(rig.url, first)).events, 0));
    // It keeps the item without the image, and sends it again before the next message.
    const second = [...first, { ...call, result: null }, says('user', 'Put a hat on it.')];
    const changed = imageOf(await expectEvents((await respond(rig.url, second)).events, 0));
    expect(changed).toMatchObject({ action: 'edit' });
    expect(paidOperations(rig)).toEqual(['generate', 'edit']);
    expectPaid(rig, { received: 2, billed: 2, images: 2 });
  },
  async inputImage() {
    const rig = await startResponsesRig();
    const made = await inputImage();
    const image_url = `data:image/png;base64,${made.toString('base64')}`;
    const content = [
      { type: 'input_text', text: 'Put a hat on it.' },
      { type: 'input_image', image_url, detail: 'auto' },
    ];
    const { events } = await respond(rig.url, [instruction, says('user', content)]);
    await expectBase64(imageOf(await expectEvents(events, 0)).result, '1024x1024');
    expectUploaded(rig, [made]);
    expectOnePaid(rig);
  },
  errors: {
    async 'a refused prompt, whose reason it shows'() {
      const rig = await startResponsesRig();
      const { events } = await respond(rig.url, [instruction, says('user', 'simulate:moderation-blocked')]);
      const error = { message: expect.stringContaining('safety') };
      expect(events.at(-1)).toMatchObject({ type: 'response.failed', response: { error } });
      expectPaid(rig, { received: 1, billed: 0, images: 0 });
    },
    async 'a wrong key'() {
      const rig = await startResponsesRig();
      const { response, text } = await respond(rig.url, [says('user', 'Draw a cat.')], 'wrong');
      expect(response.status).toBe(401);
      expect(JSON.parse(text)).toMatchObject({ error: { code: 'invalid_api_key' } });
      expectPaid(rig, { received: 0, billed: 0, images: 0 });
    },
  },
};
