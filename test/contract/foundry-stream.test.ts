import { describe, expect, test } from 'vitest';
import { otherPng, tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { oneTarget, startGateway } from '../helpers/start-gateway.ts';
import { mockAzure, type Reply } from './mock-azure.ts';
import { collect, foundryTool, imageCall, message, rejection, responseOf, startCall } from './providers.ts';

const created = 1713833628;
const headers = { 'content-type': 'text/event-stream' };

const event = (type: string, members: object = {}, end = '\n') =>
  `event: ${type}${end}data: ${JSON.stringify({ type, ...members })}${end}${end}`;
const partial = (index: number, more: object = {}) =>
  event('response.image_generation_call.partial_image', {
    item_id: 'ig_1',
    output_index: 0,
    partial_image_index: index,
    partial_image_b64: otherPng,
    ...more,
  });
const done = (item: unknown) => event('response.output_item.done', { output_index: 0, item });
const completed = (...output: unknown[]) => event('response.completed', { response: responseOf(output) });
const begin =
  event('response.created', { response: responseOf([], { status: 'in_progress' }) }) +
  event('response.in_progress', { response: responseOf([], { status: 'in_progress' }) }) +
  event('response.output_item.added', { output_index: 0, item: imageCall(null, { status: 'in_progress' }) }) +
  event('response.image_generation_call.in_progress', { item_id: 'ig_1', output_index: 0 }) +
  event('response.image_generation_call.generating', { item_id: 'ig_1', output_index: 0 });
const end =
  event('response.image_generation_call.completed', { item_id: 'ig_1', output_index: 0 }) + done(imageCall(tinyPng));

function run(body: unknown, reply: Reply = {}) {
  mockAzure().post(foundryTool.paidPath, { headers, body, ...reply });
  return startCall(foundryTool, { request: { stream: true, partialImages: 2 } });
}

const partialImage = (partialIndex?: number, facts: object = {}) => [
  { type: 'image', index: 0, isPartial: true },
  { type: 'bytes', base64: otherPng },
  { type: 'image-end', index: 0, ...(partialIndex !== undefined && { partialIndex }), facts },
];
const image = (index = 0, base64 = tinyPng) => [
  { type: 'image', index, isPartial: false },
  { type: 'bytes', base64 },
  { type: 'image-end', index, facts: {}, created },
];
const last = { type: 'done', created };

describe('a stream', () => {
  test.each<[string, string, object[]]>([
    ['with the image in its finished item', begin + end + completed(), [...image(), last]],
    ['with the image in its last event only', begin + completed(imageCall(tinyPng)), [...image(), last]],
    ['with the image in both: it is one', begin + end + completed(message, imageCall(tinyPng)), [...image(), last]],
    ['with the same item twice: it is one', begin + end + end + completed(), [...image(), last]],
    [
      'with two images, and partial images of the first',
      begin + partial(0) + partial(1) + end + done(imageCall(otherPng, { id: 'ig_2' })) + completed(),
      [...partialImage(0), ...partialImage(1), ...image(), ...image(1, otherPng), last],
    ],
    [
      'with partial images that report more, or less',
      begin +
        partial(0, { size: '1024x1024', quality: 'low', background: 'auto', output_format: 'png' }) +
        partial(0, { partial_image_index: undefined }) +
        end +
        completed(),
      [
        ...partialImage(0, { size: '1024x1024', quality: 'low', outputFormat: 'png' }),
        ...partialImage(),
        ...image(),
        last,
      ],
    ],
    ['that ends with [DONE]', `${begin}${end}${completed()}data: [DONE]\n\n`, [...image(), last]],
    [
      'with events, items and lines that nobody knows',
      `: comment\n\nretry: 5\n\n${begin}${event('response.tomorrow', { item: 7, response: null })}data: 7\n\n${done(message)}${done(null)}${end}${completed()}`,
      [...image(), last],
    ],
    [
      'without names, with a byte order mark and other line ends',
      `\ufeff${(begin + end + completed()).replaceAll(/event: .*\n/g, '').replaceAll('\n', '\r\n')}`,
      [...image(), last],
    ],
    [
      'whose names stand in its lines only',
      `${begin}event: response.completed\ndata: ${JSON.stringify({ response: responseOf([imageCall(tinyPng)]) })}\n\n`,
      [...image(), last],
    ],
    ['that is cut behind the image', begin + end, [...image(), last]],
    ['that is cut in the last event, behind the image', (begin + end + completed()).slice(0, -20), [...image(), last]],
    ['with an error behind the image', begin + end + event('error', { code: 'server_error' }), [...image(), last]],
    [
      'that fails behind the image',
      begin + end + event('response.failed', { response: responseOf([], { status: 'failed' }) }),
      [...image(), last],
    ],
    [
      'that is incomplete behind the image',
      begin + end + event('response.incomplete', { response: responseOf([], { status: 'incomplete' }) }),
      [...image(), last],
    ],
    [
      'that goes on behind its end',
      begin + end + completed() + done(imageCall(otherPng, { id: 'ig_3' })),
      [...image(), last],
    ],
    ['that is JSON', JSON.stringify(responseOf([imageCall(tinyPng)])), [...image(), last]],
  ])('%s: its events', async (_name, body, events) => {
    const call = run(body);
    expect(await collect(await call.events)).toEqual(events);
    expect(call.anomalies).toEqual([]);
  });

  test('has no partial image that is empty, and no event whose error says nothing', async () => {
    const body =
      begin +
      partial(0, { partial_image_b64: '' }) +
      partial(0, { error: {} }) +
      done(imageCall('', { id: 'ig_0' })) +
      end +
      completed();
    const events = await collect(await run(body).events);
    const begun = events.filter((event) => (event as { type: string }).type === 'image');
    expect(begun).toEqual([
      { type: 'image', index: 0, isPartial: true },
      { type: 'image', index: 0, isPartial: false },
    ]);
  });

  test('that is cut in the bytes of its image is truncated, also behind a partial image', async () => {
    const large = Buffer.concat([Buffer.from(tinyPng, 'base64'), Buffer.alloc(1_000)]).toString('base64');
    for (const before of [begin, begin + partial(0)]) {
      const text = before + done(imageCall(large));
      const events = await run(text.slice(0, -500)).events;
      expect(await rejection(collect(events))).toMatchObject({ kind: 'upstream_outcome_unknown', outcome: 'unknown' });
    }
  });

  const refused = { kind: 'content_policy_violation', outcome: 'refused' };
  const ended = { kind: 'upstream_generation_failed', outcome: 'failed' };
  const incomplete = { kind: 'upstream_incomplete', outcome: 'failed' };
  const cancelled = { kind: 'upstream_outcome_unknown', outcome: 'unknown' };
  const limited = { kind: 'upstream_rate_limited', outcome: 'not-processed' };
  const unknown = { kind: 'upstream_outcome_unknown', outcome: 'unknown' };
  const invalid = { kind: 'upstream_invalid_response', outcome: 'unknown' };
  const noImage = { kind: 'upstream_no_image', outcome: 'failed' };
  const error = { code: 'content_policy_violation', message: 'body-canary', param: null, sequence_number: 3 };
  const refusal = { ...message, content: [{ type: 'refusal', refusal: 'body-canary' }] };
  const details = { moderation_stage: 'output', categories: ['violence'] };
  const failed = (code: string) =>
    event('response.failed', { response: responseOf([], { status: 'failed', error: { code, message: 'no' } }) });

  test.each<[string, string, object]>([
    ['with a flat error', begin + event('error', error), refused],
    ['with a nested error', begin + event('error', { error }), refused],
    ['with an error of neither type nor name', `${begin}data: ${JSON.stringify({ error })}\n\n`, refused],
    [
      'with an error of which only the name is reported',
      `${begin}event: error\ndata: {"code":"rate_limit_exceeded"}\n\n`,
      limited,
    ],
    ['with an error of another code', begin + event('error', { code: 'server_error', message: 'no' }), ended],
    ['that fails', begin + failed('server_error'), ended],
    ['that fails at a limit', begin + failed('rate_limit_exceeded'), limited],
    ['that fails for its prompt', begin + failed('invalid_prompt'), refused],
    [
      'that fails for its image',
      begin + failed('image_parse_error'),
      { kind: 'upstream_refused_image', param: 'image' },
    ],
    [
      'that is filtered',
      begin +
        event('response.incomplete', {
          response: responseOf([], { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }),
        }),
      refused,
    ],
    [
      'that is incomplete',
      begin +
        event('response.incomplete', {
          response: responseOf([], { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }),
        }),
      incomplete,
    ],
    [
      'that is cancelled',
      begin + event('response.cancelled', { response: responseOf([], { status: 'cancelled' }) }),
      cancelled,
    ],
    [
      'whose item failed',
      begin +
        done(imageCall(null, { status: 'failed', error: { code: 'image_content_policy_violation' } })) +
        completed(),
      refused,
    ],
    ['whose item failed without saying why', begin + done(imageCall(null, { status: 'failed' })) + completed(), ended],
    [
      'whose last event has a status of nothing',
      begin + event('response.failed', { response: { status: null } }),
      ended,
    ],
    ['with a refusal in its item', done(refusal) + completed(), refused],
    ['with a refusal at its end', begin + completed(refusal), refused],
    [
      'with a refusal in a part of its own',
      event('response.content_part.done', { part: { type: 'refusal', refusal: 'body-canary' } }) + completed(),
      refused,
    ],
    ['with a refusal in events of its own', event('response.refusal.done', { refusal: 'no' }) + completed(), refused],
    [
      'with a flat error that reports only its details',
      begin + event('error', { code: 'moderation_blocked', message: 'no', moderation_details: details }),
      { kind: 'moderation_blocked', moderation: { stage: 'output', categories: ['violence'] } },
    ],
    ['with words only', done(message) + completed(message), noImage],
    ['that completes with a call without an image', begin + completed(imageCall(null)), invalid],
    ['with an image that is none', begin + done(imageCall('aGVsbG8gd29ybGQhIQ==')), invalid],
    ['with data that is no JSON', `${begin}data: {nonsense}\n\n`, invalid],
    ['that is cut before anything', '', invalid],
    ['that is cut before the image', begin, unknown],
    ['that is [DONE] before the image', `${begin}data: [DONE]\n\n`, unknown],
    ['that is JSON with words only', JSON.stringify(responseOf([message])), noImage],
    ['that is the page of a proxy', '<html>body-canary</html>', invalid],
  ])('%s: rejects before any event', async (_name, body, expected) => {
    expect(await rejection(run(body).events)).toMatchObject({ name: 'GatewayError', ...expected });
  });

  test.each<[string, string, object]>([
    ['an error', event('error', error), refused],
    ['a failure', failed('server_error'), ended],
    // A call of the tool had begun.
    ['words', completed(message), invalid],
    ['nothing', '', unknown],
    ['another partial image that is none', partial(1, { partial_image_b64: 'aGVsbG8gd29ybGQhIQ==' }), invalid],
  ])('that ends behind a partial image with %s breaks there', async (_name, rest, expected) => {
    const events = await run(begin + partial(0) + rest).events;
    expect(await rejection(collect(events))).toMatchObject(expected);
  });

  test('whose first partial image is none is refused before any event', async () => {
    const body = begin + partial(0, { partial_image_b64: 'aGVsbG8gd29ybGQhIQ==' }) + end;
    expect(await rejection(run(body).events)).toMatchObject(invalid);
  });

  test('that is refused as a whole is an error as any other', async () => {
    const call = run({ error: { code: 'content_filter', message: 'no' } }, { status: 400 });
    expect(await rejection(call.events)).toMatchObject(refused);
  });
});

describe('a caller of a stream', () => {
  const target = { ...foundryTool.target, capabilities: { streams: true } };
  const send = async (body: string, requested: object = { stream: true, partial_images: 1 }, more: object = {}) => {
    mockAzure().post(foundryTool.paidPath, { headers, body });
    const gateway = await startGateway(oneTarget({ ...target, ...more }));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a prompt-canary', ...requested });
    expect(called.text).not.toMatch(/canary|usage|response\./);
    return called;
  };
  const namesOf = (text: string) => [...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);

  test('gets partial images and the image as events of the Images API, without the chat model’s usage', async () => {
    const { text } = await send(begin + partial(0) + end + completed(message));
    expect(namesOf(text)).toEqual(['image_generation.partial_image', 'image_generation.completed']);
    expect(text).toContain(otherPng);
    expect(text).toContain(tinyPng);
  });

  test('gets an error event behind a partial image, and a response of JSON before anything', async () => {
    const error = event('error', { code: 'server_error', message: 'body-canary' });
    const truncated = await send(begin + partial(0) + error);
    expect(namesOf(truncated.text)).toEqual(['image_generation.partial_image', 'error']);
    const refused = await send(begin + error);
    expect([refused.status, refused.json().error.code]).toEqual([502, 'upstream_generation_failed']);
  });

  test('gets images of several calls one behind the other', async () => {
    const withPartials = { stream: true, partial_images: 1 };
    const azure = mockAzure();
    azure.post(foundryTool.paidPath, { headers, body: begin + end + completed() });
    azure.post(foundryTool.paidPath, { headers, body: begin + completed(imageCall(tinyPng)) });
    const gateway = await startGateway(oneTarget(target));
    const called = await callGateway(gateway.url, { model: 'image', prompt: 'a cat', n: 2, ...withPartials });
    expect(namesOf(called.text)).toEqual(['image_generation.completed', 'image_generation.completed']);
  });

  test('that wants JSON, where the operator wants streams, gets JSON without the partial image', async () => {
    const called = await send(begin + partial(0) + end + completed(), {}, { upstreamStream: 'always' });
    expect(called.json()).toEqual({ created, data: [{ b64_json: tinyPng }] });
  });
});
