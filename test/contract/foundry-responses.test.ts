import { describe, expect, test } from 'vitest';
import { otherPng, tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { mockAzure, type Reply } from './mock-azure.ts';
import {
  acceptResponse,
  cancelPath,
  collect,
  foundryBackground,
  foundryProviders,
  foundryTool,
  imageCall,
  message,
  type ProviderUnderTest,
  pending,
  rejection,
  responseOf,
  startCall,
} from './providers.ts';

const created = 1713833628;

/** Runs one call that gets this, at once or by a poll. */
function run(provider: ProviderUnderTest, reply: Reply) {
  const azure = mockAzure();
  if (provider === foundryBackground) acceptResponse(azure, { body: pending }, reply);
  else azure.post(provider.paidPath, reply);
  return startCall(provider);
}

const one = (end: object, done: object = { type: 'done', created }) => [
  { type: 'image', index: 0, isPartial: false },
  { type: 'bytes', base64: tinyPng },
  { type: 'image-end', index: 0, facts: {}, created, ...end },
  done,
];

describe.each(foundryProviders)('a response of $name', (provider) => {
  test.each<[string, unknown, object[]]>([
    ['with one image', responseOf([imageCall(tinyPng)]), one({})],
    ['with messages around its image', responseOf([message, imageCall(tinyPng), message]), one({})],
    [
      'with calls of other tools around its image',
      responseOf([
        { type: 'reasoning', id: 'rs_1', summary: [] },
        { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'cats' } },
        imageCall(tinyPng),
        { type: 'function_call_output', id: 'fc_1', output: 'result' },
        null,
      ]),
      one({}),
    ],
    [
      'with all that is reported of an image',
      responseOf([
        imageCall(tinyPng, {
          revised_prompt: 'a cat, painted',
          action: 'generate',
          size: '1024x1024',
          quality: 'high',
          background: 'opaque',
          output_format: 'png',
        }),
      ]),
      one(
        {
          revisedPrompt: 'a cat, painted',
          facts: { size: '1024x1024', quality: 'high', background: 'opaque', outputFormat: 'png' },
        },
        {
          type: 'done',
          created,
          facts: { size: '1024x1024', quality: 'high', background: 'opaque', outputFormat: 'png' },
        },
      ),
    ],
    [
      'that says `auto`, which is what was requested and not what was made',
      responseOf([imageCall(tinyPng, { size: 'auto', quality: 'auto', background: 'auto', output_format: 'jpeg' })]),
      one({ facts: { outputFormat: 'jpeg' } }, { type: 'done', created, facts: { outputFormat: 'jpeg' } }),
    ],
    [
      'whose image stands before everything that is said of it',
      responseOf([{ result: tinyPng, size: '1x1', status: 'completed', type: 'image_generation_call', id: 'ig_1' }]),
      one({ facts: { size: '1x1' } }, { type: 'done', created, facts: { size: '1x1' } }),
    ],
    [
      'whose output stands before everything else',
      { output: [imageCall(tinyPng)], status: 'completed', created_at: created },
      [
        { type: 'image', index: 0, isPartial: false },
        { type: 'bytes', base64: tinyPng },
        { type: 'image-end', index: 0, facts: {} },
        { type: 'done', created },
      ],
    ],
    ['with very long instructions', responseOf([imageCall(tinyPng)], { instructions: 'i'.repeat(500_000) }), one({})],
    ['with null errors', responseOf([imageCall(tinyPng, { error: null })], { error: null }), one({})],
    [
      'with a call without an image beside one with an image',
      responseOf([imageCall(null, { id: 'ig_0', status: 'failed' }), imageCall(tinyPng)]),
      one({}),
    ],
    [
      'with empty calls before its image, and other members that say nothing',
      responseOf([
        imageCall('', { id: '' }),
        imageCall(null, { id: '', error: {} }),
        imageCall(tinyPng, { id: '', error: '', revised_prompt: '', size: null }),
      ]),
      one({}),
    ],
    ['with a call of no type', responseOf([imageCall(tinyPng, { type: '' })]), one({})],
    ['that is incomplete behind its image', responseOf([imageCall(tinyPng)], { status: 'incomplete' }), one({})],
    [
      'that failed behind its image',
      responseOf([imageCall(tinyPng)], { status: 'failed', error: { code: 'x' } }),
      one({}),
    ],
    ['with the same image twice', responseOf([imageCall(tinyPng), imageCall(tinyPng)]), one({})],
    [
      'with two images',
      responseOf([
        imageCall(tinyPng, { size: '1x1' }),
        message,
        imageCall(otherPng, { id: 'ig_2', revised_prompt: 'b' }),
      ]),
      [
        { type: 'image', index: 0, isPartial: false },
        { type: 'bytes', base64: tinyPng },
        { type: 'image-end', index: 0, facts: { size: '1x1' }, created },
        { type: 'image', index: 1, isPartial: false },
        { type: 'bytes', base64: otherPng },
        { type: 'image-end', index: 1, revisedPrompt: 'b', facts: {}, created },
        { type: 'done', created },
      ],
    ],
  ])('%s: its events', async (_name, body, events) => {
    const call = run(provider, { body });
    expect(await collect(await call.events)).toEqual(events);
    expect(call.anomalies).toEqual([]);
  });

  test.each([0, -1, 1.5, '1713833628', null])('created_at %j is not passed on', async (created_at) => {
    const events = await collect(
      await run(provider, { body: responseOf([imageCall(tinyPng)], { created_at }) }).events,
    );
    expect(events.slice(2)).toEqual([{ type: 'image-end', index: 0, facts: {} }, { type: 'done' }]);
  });

  test('a revised prompt that is too long is left out, and counted', async () => {
    const call = run(provider, { body: responseOf([imageCall(tinyPng, { revised_prompt: 'a'.repeat(70_000) })]) });
    expect(await collect(await call.events)).toEqual(one({}));
    expect(call.anomalies).toEqual(['value_dropped']);
  });

  test('as text/plain, with escaped slashes, and ended by the connection only, is read all the same', async () => {
    const text = JSON.stringify(responseOf([imageCall(tinyPng)])).replaceAll('/', '\\/');
    expect(await collect(await run(provider, { body: text, isFramed: false }).events)).toEqual(one({}));
  });
});

const refused = { kind: 'content_policy_violation', outcome: 'refused' };
const ended = { kind: 'upstream_generation_failed', outcome: 'failed' };
const invalid = { kind: 'upstream_invalid_response', outcome: 'unknown' };
const badImage = { kind: 'upstream_refused_image', outcome: 'refused', param: 'image' };
const cancelled = { kind: 'upstream_outcome_unknown', outcome: 'unknown' };
const incomplete = { kind: 'upstream_incomplete', outcome: 'failed' };
const wordsOnly = { kind: 'upstream_no_image', outcome: 'failed' };

const failedWith = (code: string, more: object = {}) =>
  responseOf([], { status: 'failed', error: { code, message: 'body-canary', ...more } });
const refusal = { ...message, content: [{ type: 'refusal', refusal: 'body-canary' }] };
const failedCall = (error: unknown, status = 'completed') =>
  responseOf([imageCall(null, { status: 'failed', error })], { status });

const ends: readonly (readonly [string, unknown, object])[] = [
  ...['server_error', 'vector_store_timeout', 'data_residency_mismatch', 'a_code_of_tomorrow'].map(
    (code) => [`failed with ${code}`, failedWith(code), ended] as const,
  ),
  ...['invalid_prompt', 'bio_policy', 'image_content_policy_violation', 'content_filter'].map(
    (code) => [`failed with ${code}`, failedWith(code), refused] as const,
  ),
  ...[
    'invalid_image',
    'invalid_image_format',
    'invalid_base64_image',
    'invalid_image_url',
    'invalid_image_mode',
    'image_too_large',
    'image_too_small',
    'image_parse_error',
    'image_file_too_large',
    'unsupported_image_media_type',
    'empty_image_file',
    'failed_to_download_image',
    'image_file_not_found',
  ].map((code) => [`failed with ${code}`, failedWith(code), badImage] as const),
  [
    'failed with moderation_blocked',
    failedWith('moderation_blocked', { moderation_details: { moderation_stage: 'input', categories: ['violence'] } }),
    {
      kind: 'moderation_blocked',
      outcome: 'refused',
      moderation: { stage: 'input', categories: ['violence'] },
    },
  ],
  [
    'failed with rate_limit_exceeded',
    failedWith('rate_limit_exceeded'),
    { kind: 'upstream_rate_limited', outcome: 'not-processed' },
  ],
  ['failed without a reason', responseOf([], { status: 'failed' }), ended],
  ['failed with a reason that is no object', responseOf([], { status: 'failed', error: 'no' }), ended],
  ['failed with a text beside', responseOf([message], { status: 'failed', error: { code: 'server_error' } }), ended],
  ['cancelled', responseOf([], { status: 'cancelled' }), cancelled],
  [
    'incomplete because of the content filter',
    responseOf([message], { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }),
    refused,
  ],
  ...['max_output_tokens', 'max_messages', 'steered', 'of_tomorrow'].map(
    (reason) =>
      [
        `incomplete because of ${reason}`,
        responseOf([], { status: 'incomplete', incomplete_details: { reason } }),
        incomplete,
      ] as const,
  ),
  ['incomplete without a reason', responseOf([], { status: 'incomplete' }), incomplete],
  [
    'incomplete with a call that failed, or still runs',
    responseOf([imageCall(null, { status: 'failed', error: { code: 'server_error' } }), imageCall(null)], {
      status: 'incomplete',
    }),
    incomplete,
  ],
  ['cancelled with a call that failed', failedCall({ code: 'server_error' }, 'cancelled'), cancelled],
  ['completed with words only', responseOf([message]), wordsOnly],
  ['completed with nothing', responseOf([]), wordsOnly],
  ['completed with an output that is null', responseOf([], { output: null }), wordsOnly],
  ['completed with a refusal', responseOf([refusal]), refused],
  ['completed with a refusal behind words', responseOf([message, refusal]), refused],
  [
    'completed with words about a refusal',
    responseOf([{ ...message, content: [{ type: 'output_text', text: 'refusal', refusal: null }] }]),
    wordsOnly,
  ],
  ['completed with a call that failed without saying why', failedCall(null), ended],
  ...[undefined, '', {}, [], { code: null, message: '' }].map(
    (error) =>
      [`completed with a failed call whose error is ${JSON.stringify(error)}`, failedCall(error), ended] as const,
  ),
  [
    'completed with a call that failed, and a refusal',
    responseOf([imageCall(null, { status: 'failed' }), refusal]),
    refused,
  ],
  ['failed with an error that says nothing', responseOf([], { status: 'failed', error: { code: null } }), ended],
  [
    'completed with a call that failed by the filter',
    failedCall({ code: 'moderation_blocked' }),
    { kind: 'moderation_blocked', outcome: 'refused' },
  ],
  ['completed with a call that failed otherwise', failedCall({ code: 'server_error', message: 'body-canary' }), ended],
  ['failed with a call that says why', failedCall({ code: 'image_content_policy_violation' }, 'failed'), refused],
  ['completed with a call without an image', responseOf([imageCall(null)]), invalid],
  ['completed with an image that is a link', responseOf([imageCall({ url: 'https://a.example' })]), invalid],
  ['completed with an empty image', responseOf([imageCall('')]), invalid],
  [
    'completed with bytes that are no image',
    responseOf([imageCall(Buffer.from('<html>not an image</html>').toString('base64'))]),
    invalid,
  ],
  ['completed with a data URL', responseOf([imageCall(`data:image/png;base64,${tinyPng}`)]), invalid],
  ['of an unknown status', responseOf([message], { status: 'body-canary' }), invalid],
  ['with a filter’s error beside no status', { error: { code: 'content_filter' } }, refused],
];

/** In a poll it may be the failure of that poll alone. */
const stateless: typeof ends = [
  ['without a status, with an error that is empty', responseOf([], { status: '', error: {} }), invalid],
  ['without a status', responseOf([message], { status: undefined }), invalid],
  ['with an error beside no status', { error: { code: 'server_error' } }, { outcome: 'failed' }],
];

test.each(stateless)('a poll of foundry-agent that gets %s is made again', async (_name, body) => {
  const azure = mockAzure();
  acceptResponse(azure, { body }, { body: responseOf([imageCall(tinyPng)]) });
  expect(await collect(await startCall(foundryBackground).events)).toEqual(one({}));
});

describe.each(foundryProviders)('a response of $name without an image,', (provider) => {
  test.each(provider === foundryBackground ? ends : [...ends, ...stateless])(
    '%s: rejects before any event',
    async (_name, body, expected) => {
      const { events, attempt } = run(provider, { body });
      expect(await rejection(events)).toMatchObject({ name: 'GatewayError', ...expected });
      expect(attempt.sent).toBe(true);
    },
  );

  test('cut off by another text: is paid and lost, and a job is not left to run', async () => {
    const azure = mockAzure();
    const text = `${JSON.stringify(responseOf([message])).slice(0, -1)},}`;
    if (provider === foundryBackground) {
      acceptResponse(azure, { body: text });
      azure.post(cancelPath, { body: {} });
    } else {
      azure.post(provider.paidPath, { body: text });
    }
    // A job is polled until there is no time left; what it says then is not known.
    const expected = provider === foundryBackground ? { outcome: 'unknown' } : invalid;
    expect(await rejection(startCall(provider, { retryUntil: 0 }).events)).toMatchObject(expected);
    await expect.poll(() => azure.requests.length).toBe(provider === foundryBackground ? 3 : 1);
  });

  test('with more images than there can be: the events break behind the last one', async () => {
    const calls = Array.from({ length: 11 }, (_, index) => imageCall(tinyPng, { id: `ig_${index}` }));
    const events = await run(provider, { body: responseOf(calls) }).events;
    expect(await rejection(collect(events))).toMatchObject(invalid);
  });

  test('and then one whose second is none: the events break behind the first one', async () => {
    const body = responseOf([imageCall(tinyPng), imageCall('aGVsbG8gd29ybGQhIQ==', { id: 'ig_2' })]);
    const events = await run(provider, { body }).events;
    expect(await rejection(collect(events))).toMatchObject(invalid);
  });
});

test.each(['queued', 'in_progress'])(
  'a response that is %s, although nobody wanted it later, is paid and lost',
  async (status) => {
    expect(await rejection(run(foundryTool, { body: responseOf([], { status }) }).events)).toMatchObject(invalid);
  },
);

test('a response that is cut leaves open what was made', async () => {
  const text = JSON.stringify(responseOf([imageCall(tinyPng)]));
  for (const length of [1, 40, text.length - 1]) {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, { body: text.slice(0, length), isFramed: false });
    const call = startCall(foundryTool);
    const failure = await call.events.then(
      (events) => rejection(collect(events)),
      (error) => error,
    );
    expect(failure).toMatchObject({ kind: 'upstream_outcome_unknown', outcome: 'unknown' });
  }
});

describe('a caller of an agent', () => {
  const send = async (replies: readonly Reply[], body: object = {}, target: object = {}) => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, ...replies);
    const gateway = await startGateway(oneTarget({ ...foundryTool.target, ...target }));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a prompt-canary', ...body });
    expect(`${called.text}${JSON.stringify([...called.headers])}`).not.toMatch(/canary/);
    expect(gateway.logText()).not.toMatch(/prompt-canary|upstream-key|gateway-key|instructions-canary/);
    return called;
  };

  test('gets the image, and neither words, nor the chat model’s usage', async () => {
    const call = imageCall(tinyPng, { revised_prompt: 'a painting', size: '1024x1024', quality: 'low' });
    const called = await send([{ headers: { 'x-ms-region': 'canary' }, body: responseOf([call, message]) }]);
    expect([called.status, called.json()]).toEqual([
      200,
      {
        created,
        data: [{ b64_json: tinyPng, revised_prompt: 'a painting' }],
        size: '1024x1024',
        quality: 'low',
      },
    ]);
  });

  test('gets so many images, of as many calls', async () => {
    const called = await send(
      [{ body: responseOf([imageCall(tinyPng)]) }, { body: responseOf([imageCall(tinyPng)]) }],
      {
        n: 2,
      },
    );
    expect(called.json().data).toEqual([{ b64_json: tinyPng }, { b64_json: tinyPng }]);
    expect(called.headers.get('x-gateway-adapted')).toBe('n=fan-out');
  });

  const httpError = (status: number, error: unknown): Reply => ({ status, body: { error } });
  const header = 'imagegen deployment must be provided through header: x-ms-oai-image-generation-deployment';

  test.each<[string, Reply, number, string, string, string | null]>([
    ['words only', { body: responseOf([message]) }, 502, 'server_error', 'upstream_no_image', null],
    [
      'a failed response',
      { body: failedWith('server_error') },
      502,
      'server_error',
      'upstream_generation_failed',
      null,
    ],
    [
      'a cancelled response',
      { body: responseOf([], { status: 'cancelled' }) },
      502,
      'server_error',
      'upstream_outcome_unknown',
      null,
    ],
    [
      'a refused prompt',
      { body: failedWith('invalid_prompt') },
      400,
      'image_generation_user_error',
      'content_policy_violation',
      null,
    ],
    [
      'a bad image',
      { body: failedWith('invalid_base64_image') },
      400,
      'invalid_request_error',
      'invalid_image_file',
      null,
    ],
    ['a limit', { body: failedWith('rate_limit_exceeded') }, 429, 'requests', 'rate_limit_exceeded', null],
    [
      'a response of no use',
      { body: responseOf([imageCall(null)]) },
      502,
      'server_error',
      'upstream_invalid_response',
      null,
    ],
    [
      'a missing header',
      httpError(400, {
        message: header,
        type: 'image_generation_user_error',
        param: 'tools',
        code: 'invalid_request_error',
      }),
      502,
      'server_error',
      'upstream_misconfigured',
      null,
    ],
    [
      'an opaque refusal',
      httpError(400, {
        message: 'There was an issue with your request. Please check your inputs and try again',
        code: null,
      }),
      502,
      'server_error',
      'upstream_misconfigured',
      null,
    ],
    [
      'a chat model that cannot',
      httpError(400, { message: 'Model not supported with Responses API: canary', code: 'invalid_request_error' }),
      502,
      'server_error',
      'upstream_misconfigured',
      null,
    ],
    [
      'a chat model that does not exist',
      httpError(400, { message: "The model 'canary' does not exist.", code: 'invalid_value', param: 'model' }),
      502,
      'server_error',
      'upstream_misconfigured',
      null,
    ],
    [
      'an unknown agent',
      httpError(404, { message: 'Agent canary not found', code: 'not_found' }),
      502,
      'server_error',
      'upstream_misconfigured',
      null,
    ],
    [
      'a key that is refused',
      httpError(401, { code: '401', message: 'canary' }),
      502,
      'server_error',
      'upstream_auth_failed',
      null,
    ],
  ])('gets %s', async (_name, reply, status, type, code, param) => {
    const called = await send([reply]);
    expect(called.json().error).toEqual({ message: expect.stringMatching(/\S.{20,}/), type, param, code });
    expect(called.status).toBe(status);
    expect(status < 500 || called.headers.get('x-should-retry') === 'false').toBe(true);
  });

  test('that responds with words is called once, and no other target is', async () => {
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, { body: responseOf([message]) });
    const { maxRetries: _, ...target } = foundryTool.target;
    const gateway = await startGateway({ models: { image: { targets: [target, { ...target, priority: 1 }] } } });
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat' });
    expect([called.status, called.json().error.code, azure.requests.length]).toEqual([502, 'upstream_no_image', 1]);
  });
});
