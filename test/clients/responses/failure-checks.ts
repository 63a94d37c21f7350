import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { losesFirstResponse } from '../lossy-front.ts';
import { collect } from '../openai/collect.ts';
import type { OpenAIClient, Sdk } from '../openai/sdk.ts';
import { expectOnePaid, expectPaid, gatewayKey } from '../rig.ts';
import { expectEvents } from './response-events.ts';
import { expectImageIn, startResponsesRig } from './response-image.ts';
import type { ResponsesSuite } from './responses-matrix.ts';

const asked = { model: 'image', input: 'a cat' } as const;
const blocked = { model: 'image', input: 'simulate:moderation-blocked' } as const;

type Facts = { readonly status: number; readonly code: string; readonly param?: string };
type Failure = Facts & { readonly received: number; readonly apiKey?: string };

/** Checks of failures, and that they buy nothing twice. */
export function failureChecks({ package: sdk, connect }: Pick<Sdk, 'package' | 'connect'>) {
  async function expectFailure(
    type: new (...parameters: never[]) => Error,
    { received, apiKey, ...facts }: Failure,
    call: (client: OpenAIClient) => PromiseLike<unknown>,
  ): Promise<void> {
    const rig = await startResponsesRig();
    const error = await failure(call(connect(rig.url, apiKey)));
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ param: null, ...facts });
    expectPaid(rig, { received, billed: 0, images: 0 });
  }

  const refused = (call: (client: OpenAIClient) => PromiseLike<unknown>, facts: Omit<Failure, 'status' | 'received'>) =>
    expectFailure(sdk.BadRequestError, { status: 400, received: 0, ...facts }, call);

  return {
    errors: {
      'a prompt that moderation refuses': () =>
        expectFailure(sdk.BadRequestError, { status: 400, code: 'moderation_blocked', received: 1 }, (client) =>
          client.responses.create(blocked),
        ),
      async 'the same as a stream'() {
        const rig = await startResponsesRig();
        const events = await collect(await connect(rig.url).responses.create({ ...blocked, stream: true }));
        const error = { code: 'moderation_blocked', message: expect.any(String) };
        expect(events.at(-1)).toMatchObject({ type: 'response.failed', response: { status: 'failed', error } });
        expectPaid(rig, { received: 1, billed: 0, images: 0 });
      },
      async 'the same with the helper, whose final response says it'() {
        const rig = await startResponsesRig();
        const final = await connect(rig.url).responses.stream(blocked).finalResponse();
        expect(final).toMatchObject({ status: expect.any(String) });
        expectPaid(rig, { received: 1, billed: 0, images: 0 });
      },
      'a wrong key': () =>
        expectFailure(
          sdk.AuthenticationError,
          { status: 401, code: 'invalid_api_key', apiKey: 'wrong', received: 0 },
          (client) => client.responses.create(asked),
        ),
      'a model that does not exist': () =>
        expectFailure(
          sdk.NotFoundError,
          { status: 404, code: 'model_not_found', param: 'model', received: 0 },
          (client) => client.responses.create({ ...asked, model: 'nobody' }),
        ),
      'a size that the model does not have': () =>
        refused(
          (client) =>
            client.responses.create({ ...asked, tools: [{ type: 'image_generation', size: '10x10' as never }] }),
          { code: 'invalid_value', param: 'tools[0].size' },
        ),
      'another tool': () =>
        refused((client) => client.responses.create({ ...asked, tools: [{ type: 'web_search' }] }), {
          code: 'unsupported_parameter',
          param: 'tools',
        }),
      'an unknown response before it': () =>
        refused((client) => client.responses.create({ ...asked, previous_response_id: 'resp_unknown' }), {
          code: 'previous_response_not_found',
          param: 'previous_response_id',
        }),
      'too many requests': () =>
        expectFailure(sdk.RateLimitError, { status: 429, code: 'rate_limit_exceeded', received: 3 }, (client) =>
          client.responses.create({ ...asked, input: 'simulate:429-ms-20' }),
        ),
    },

    billedOnce: {
      async 'with an Idempotency-Key'() {
        const rig = await startResponsesRig({ lingerMs: 0 });
        const { responses } = connect(rig.url);
        const options = { headers: { 'Idempotency-Key': 'order-4711' } };
        const first = await responses.create(asked, options);
        const { data, response } = await responses.create(asked, options).withResponse();
        expect(data).toEqual(first);
        expect(response.headers.get('idempotent-replayed')).toBe('true');
        const again = await expectEvents(await collect(await responses.create({ ...asked, stream: true }, options)), 0);
        expect(again.id).toBe(first.id);
        const other = failure(responses.create({ ...asked, input: 'a dog' }, options));
        expect(await other).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
        expectOnePaid(rig);
      },
      async 'when the response is lost, and the SDK repeats the call'() {
        const rig = await startResponsesRig();
        const response = await connect(await losesFirstResponse(rig.url)).responses.create(asked);
        await expectImageIn(response);
        expect(rig.calls).toHaveLength(2);
        expectOnePaid(rig);
      },
      async 'when the SDK gives up waiting, and tries again'() {
        const rig = await startResponsesRig({ lingerMs: 0 });
        const client = connect(rig.url, gatewayKey, { timeout: 800 });
        const options = { headers: { 'Idempotency-Key': 'order-4712' } };
        await expectImageIn(await client.responses.create({ ...asked, input: 'simulate:slow-1500' }, options));
        expect(rig.calls.length).toBeGreaterThan(1);
        expectOnePaid(rig);
      },
    },
  } satisfies ResponsesSuite;
}
