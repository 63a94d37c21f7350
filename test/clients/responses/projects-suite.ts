import { AIProjectClient } from '@azure/ai-projects';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { expectBase64 } from '../images.ts';
import { collect } from '../openai/collect.ts';
import { expectOnePaid, expectPaid, gatewayKey } from '../rig.ts';
import { expectEvents } from './response-events.ts';
import { expectImageIn, paidOperations, startResponsesRig } from './response-image.ts';
import type { ResponsesSuite } from './responses-matrix.ts';

/** The OpenAI client of a project, with a credential whose token is a key of the gateway. */
function connect(url: string, token = gatewayKey) {
  const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
  return new AIProjectClient(`${url}/api/projects/shop`, credential).getOpenAIClient();
}

const input = 'Generate an image of a cat.';

/** As Microsoft's sample calls the agent that it has created. The agents of the gateway are its models. */
const byAgent = {
  headers: { 'x-ms-oai-image-generation-deployment': 'gpt-image-1' },
  body: { agent_reference: { name: 'agent-image-generation', type: 'agent_reference' } },
};

/** Checks of Azure's client of Foundry projects. */
export const projectsSuite: ResponsesSuite = {
  create: {
    async 'by the name of an agent'() {
      const rig = await startResponsesRig();
      const { data, response } = await connect(rig.url).responses.create({ input }, byAgent).withResponse();
      await expectImageIn(data);
      expect(data.model).toBe('image');
      expect(response.headers.get('x-gateway-adapted')).toBeNull();
      const [{ path, headers } = { path: '', headers: {} }] = rig.calls;
      expect(path).toBe('/api/projects/shop/openai/v1/responses');
      expect(headers).toMatchObject({ authorization: `Bearer ${gatewayKey}`, ...byAgent.headers });
      expectOnePaid(rig);
    },
    async 'by the old name of its member'() {
      const rig = await startResponsesRig();
      const { agent_reference: agent } = byAgent.body;
      await expectImageIn(await connect(rig.url).responses.create({ input }, { ...byAgent, body: { agent } }));
      expectOnePaid(rig);
    },
    async 'by the header alone, with a chat model'() {
      const rig = await startResponsesRig();
      const request = { model: 'gpt-5.5', input, tools: [{ type: 'image_generation' as const }] };
      await expectImageIn(await connect(rig.url).responses.create(request, { headers: byAgent.headers }));
      expectOnePaid(rig);
    },
  },
  async stream() {
    const rig = await startResponsesRig();
    const stream = await connect(rig.url).responses.create({ input, stream: true }, byAgent);
    await expectEvents(await collect(stream), 0);
    expectOnePaid(rig);
  },
  async turns() {
    const rig = await startResponsesRig();
    const { responses } = connect(rig.url);
    const { id } = await responses.create({ input }, byAgent);
    const second = await responses.create({ previous_response_id: id, input: 'a hat on it' }, byAgent);
    expect(await expectImageIn(second)).toMatchObject({ action: 'edit' });
    expect(paidOperations(rig)).toEqual(['generate', 'edit']);
    expectPaid(rig, { received: 2, billed: 2, images: 2 });
  },
  async retrieve() {
    const rig = await startResponsesRig();
    const { responses } = connect(rig.url);
    const made = await responses.create({ input }, byAgent);
    expect(await responses.retrieve(made.id)).toEqual(made);
    expectOnePaid(rig);
  },
  async background() {
    const rig = await startResponsesRig();
    const { responses } = connect(rig.url);
    const { id } = await responses.create({ input, background: true }, byAgent);
    await expect.poll(async () => (await responses.retrieve(id)).status).toBe('completed');
    await expectImageIn(await responses.retrieve(id));
    expectOnePaid(rig);
  },
  errors: {
    async 'an agent that does not exist'() {
      const rig = await startResponsesRig();
      const agent_reference = { name: 'nobody', type: 'agent_reference' };
      const error = failure(connect(rig.url).responses.create({ input }, { body: { agent_reference } }));
      expect(await error).toMatchObject({ status: 404, code: 'model_not_found' });
      expectPaid(rig, { received: 0, billed: 0, images: 0 });
    },
    async 'a wrong key'() {
      const rig = await startResponsesRig();
      const error = failure(connect(rig.url, 'wrong').responses.create({ input }, byAgent));
      expect(await error).toMatchObject({ status: 401, code: 'invalid_api_key' });
      expectPaid(rig, { received: 0, billed: 0, images: 0 });
    },
  },
  async images() {
    const rig = await startResponsesRig();
    const made = await connect(rig.url).images.generate({ model: 'gpt-image-1', prompt: 'a cat' });
    await expectBase64(made.data?.[0]?.b64_json, '1024x1024');
    expect(rig.calls[0]?.path).toBe('/api/projects/shop/openai/v1/images/generations');
    expectOnePaid(rig);
  },
};
