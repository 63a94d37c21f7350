import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { inputImage } from '../images.ts';
import { expectPaid, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import type { OpenAIClient, Sdk } from './sdk.ts';

type Facts = { status: number; code: string; type: string; param?: string };

/** Checks that each failure is the SDK's class for it, with what the gateway says about it. */
export function errorChecks(sdk: Sdk) {
  const { package: errors, connect, unknownModel } = sdk;

  async function expectFailure(
    type: new (...parameters: never[]) => Error,
    facts: Facts,
    call: (client: OpenAIClient) => PromiseLike<unknown>,
    { apiKey, received }: { apiKey?: string; received: number },
  ) {
    const rig = await startRig();
    const error = await failure(call(connect(rig.url, apiKey)));
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ param: null, ...facts });
    expectPaid(rig, { received, billed: 0, images: 0 });
  }

  const generate = (client: OpenAIClient, prompt: string, model = 'image') => client.images.generate({ model, prompt });

  return {
    errors: {
      'a value that no model takes': () =>
        expectFailure(
          errors.BadRequestError,
          { status: 400, code: 'invalid_value', type: 'invalid_request_error', param: 'n' },
          (client) => client.images.generate({ model: 'image', prompt: 'a cat', n: 11 }),
          { received: 0 },
        ),
      'an edit without a prompt': () =>
        expectFailure(
          errors.BadRequestError,
          { status: 400, code: 'missing_required_parameter', type: 'invalid_request_error', param: 'prompt' },
          async (client) => {
            const image = await errors.toFile(await inputImage(), 'teal.png', { type: 'image/png' });
            return client.images.edit({ model: 'image', image } as never);
          },
          { received: 0 },
        ),
      'a wrong key': () =>
        expectFailure(
          errors.AuthenticationError,
          { status: 401, code: 'invalid_api_key', type: 'invalid_request_error' },
          (client) => generate(client, 'a cat'),
          { apiKey: 'wrong', received: 0 },
        ),
      'a model that does not exist': () =>
        expectFailure(
          errors.NotFoundError,
          { status: 404, code: unknownModel, type: 'invalid_request_error', param: 'model' },
          (client) => generate(client, 'a cat', 'nobody'),
          { received: 0 },
        ),
      'too many requests': () =>
        expectFailure(
          errors.RateLimitError,
          { status: 429, code: 'rate_limit_exceeded', type: 'requests' },
          (client) => generate(client, 'simulate:429-ms-20'),
          { received: 3 },
        ),
      'a failure of Azure': () =>
        expectFailure(
          errors.InternalServerError,
          { status: 502, code: 'upstream_generation_failed', type: 'server_error' },
          (client) => generate(client, 'simulate:500'),
          { received: 3 },
        ),
      'a prompt that moderation refuses': () =>
        expectFailure(
          errors.BadRequestError,
          { status: 400, code: 'moderation_blocked', type: 'image_generation_user_error' },
          (client) => generate(client, 'simulate:moderation-blocked'),
          { received: 1 },
        ),
    },
  } satisfies Suite;
}
