import { Agent, imageGenerationTool, OpenAIProvider, Runner } from '@openai/agents';
import { OpenAI } from 'openai7';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { expectPaid, gatewayKey, startRig } from '../rig.ts';
import { type ChatResource, chatKey, type Received } from './chat-resource.ts';
import { startForwarding } from './forwarding-rig.ts';
import type { ResponsesSuite } from './responses-matrix.ts';

/** `sent`: the bodies that its client has sent. */
function artist(url: string, apiKey = gatewayKey) {
  const sent: string[] = [];
  const remembering: typeof fetch = (input, init) => {
    sent.push(String(init?.body));
    return fetch(input, init);
  };
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, fetch: remembering });
  const modelProvider = new OpenAIProvider({ openAIClient: client as never, useResponses: true });
  const runner = new Runner({ modelProvider, tracingDisabled: true });
  const tools = [imageGenerationTool({ quality: 'low', size: '1024x1024' })];
  return { sent, runner, agent: new Agent({ name: 'artist', instructions: 'You draw.', model: 'gpt-5.5', tools }) };
}

/** What is looked at of a run's result, streamed or not. */
type Run = { readonly finalOutput?: unknown; readonly newItems: readonly { readonly rawItem?: unknown }[] };

/** That the run has the image, and that Azure was asked once, with what the gateway adds and nothing of its own. */
function expectDrawn(
  { finalOutput, newItems }: Run,
  { sent, azure: { received, image } }: { readonly sent: readonly string[]; readonly azure: ChatResource },
): void {
  expect(finalOutput).toBe('Here is your cat.');
  const items = newItems.map(({ rawItem }) => rawItem);
  const call = { type: 'hosted_tool_call', name: 'image_generation_call', status: 'completed' };
  expect(items[0]).toMatchObject({ ...call, output: image.toString('base64') });
  expect(received.map(({ method, url }) => [method, url])).toEqual([['POST', '/openai/v1/responses']]);
  expect(received.map(({ body }) => body)).toEqual(sent);
  const { headers, body } = received[0] as Received;
  expect(headers).toMatchObject({ 'api-key': chatKey, 'x-ms-oai-image-generation-deployment': 'gpt-image-1.5' });
  expect(JSON.stringify(headers)).not.toContain(gatewayKey);
  expect(JSON.parse(body)).toMatchObject({
    model: 'gpt-5.5',
    instructions: 'You draw.',
    tools: [{ type: 'image_generation', quality: 'low', size: '1024x1024' }],
  });
}

/** Checks of OpenAI's Agents SDK: its chat model is at Azure, behind the gateway. */
export const agentsSuite: ResponsesSuite = {
  forwarded: {
    async 'a run'() {
      const { azure, rig } = await startForwarding();
      const { sent, runner, agent } = artist(rig.url);
      expectDrawn(await runner.run(agent, 'Draw a cat.'), { sent, azure });
      expectPaid(rig, { received: 0, billed: 0, images: 0 });
    },
    async 'a streamed run'() {
      const { azure, rig } = await startForwarding();
      const { sent, runner, agent } = artist(rig.url);
      const result = await runner.run(agent, 'Draw a cat.', { stream: true });
      await Array.fromAsync(result);
      await result.completed;
      expectDrawn(result, { sent, azure });
      expectPaid(rig, { received: 0, billed: 0, images: 0 });
    },
  },
  errors: {
    async 'a wrong key'() {
      const { azure, rig } = await startForwarding();
      const { runner, agent } = artist(rig.url, 'wrong');
      expect(await failure(runner.run(agent, 'Draw a cat.'))).toMatchObject({ status: 401, code: 'invalid_api_key' });
      expect(azure.received).toEqual([]);
    },
    async 'a chat model where nothing is forwarded'() {
      const rig = await startRig({ keepsJobs: true });
      const { runner, agent } = artist(rig.url);
      expect(await failure(runner.run(agent, 'Draw a cat.'))).toMatchObject({ status: 404, code: 'model_not_found' });
      expectPaid(rig, { received: 0, billed: 0, images: 0 });
    },
  },
};
