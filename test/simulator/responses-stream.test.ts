import { readFile } from 'node:fs/promises';
import { request } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ScenarioDescription, scenarios } from '../../simulator/scenarios.ts';
import {
  callAgent,
  headersFor,
  looksOf,
  type OutputItem,
  resourcePath,
  respond,
  responseIn,
  resultsOf,
  typesIn,
  valuesIn,
  withTool,
} from './call-responses.ts';
import { type Caller, openCaller, type ReceivedResponse } from './call-simulator.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const megabyte = 1024 * 1024;
const twoPartials = withTool({ partial_images: 2 });
const stream = (scenario: string, members = {}) =>
  respond(caller, `gpt-image-2--${scenario}`, { stream: true, ...twoPartials, ...members });

const ofCall = (state: string) => `response.image_generation_call.${state}`;
const [partial, completed] = [ofCall('partial_image'), ofCall('completed')];
const [added, done] = ['response.output_item.added', 'response.output_item.done'];
const opening = ['response.created', 'response.in_progress', added, ofCall('in_progress'), ofCall('generating')];
const messageEvents = [added, 'response.output_text.delta', 'response.output_text.done', done];
const usual = [...opening, partial, partial, completed, done, ...messageEvents, 'response.completed'];

/** The images of a stream, partial ones too, in order. */
const imagesIn = (received: ReceivedResponse): string[] =>
  valuesIn(received).flatMap(({ partial_image_b64: amid, item, response }) => [
    ...(typeof amid === 'string' ? [amid] : []),
    ...[item?.result, ...(response?.output ?? []).map(({ result }: OutputItem) => result)].filter(
      (result) => typeof result === 'string',
    ),
  ]);

async function expectDefaultImages(received: ReceivedResponse) {
  expect(imagesIn(received)).toEqual(imagesIn(await stream('none')));
}

/** Reads a stream until it breaks or until the text has been seen, and leaves. */
async function readUntil(scenario: string, text: string): Promise<string> {
  const body = { model: 'gpt-4.1', input: 'a cat', ...twoPartials, tool_choice: { type: 'image_generation' } };
  const received = await request(new URL(resourcePath, caller.simulator.origin), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headersFor(`gpt-image-2--${scenario}`) },
    body: JSON.stringify({ ...body, stream: true }),
  });
  let read = '';
  try {
    for await (const chunk of received.body) {
      read += chunk;
      if (read.includes(text)) break;
    }
  } catch (error) {
    return `${read}${(error as { code?: string }).code}`;
  }
  return read;
}

describe('a stream', () => {
  test('has the events of the documents, numbered, and no [DONE]', async () => {
    const received = await stream('none');
    expect(received.headers['content-type']).toBe('text/event-stream');
    expect(typesIn(received)).toEqual(usual);
    const values = valuesIn(received);
    expect(values.map(({ type }) => type)).toEqual(usual);
    expect(values.map(({ sequence_number }) => sequence_number)).toEqual(usual.map((_, position) => position));
    expect(received.bytes.toString()).not.toContain('[DONE]');
  });

  test('begins with a response in progress, whose output is empty', async () => {
    for (const { response } of valuesIn(await stream('none')).slice(0, 2)) {
      expect(response).toMatchObject({ object: 'response', status: 'in_progress', output: [], usage: null });
    }
  });

  test('brings the image in its item and in the response, and not in the completed call', async () => {
    const received = await stream('none');
    const values = valuesIn(received);
    const { id, result } = values.find(({ type }) => type === done).item;
    const { response } = values.at(-1);
    expect(await looksOf(result)).toBe('png 1024x1024');
    expect(response).toMatchObject({ status: 'completed', output: [{ id, result }, { type: 'message' }] });
    expect(values.find(({ type }) => type === completed)).toEqual({
      type: completed,
      item_id: id,
      output_index: 0,
      sequence_number: 7,
    });
    const whole = responseIn(await respond(caller, 'gpt-image-2--none'));
    expect(resultsOf(whole)).toEqual([result]);
  });

  test('has partial images with their looks', async () => {
    const values = valuesIn(await stream('none', withTool({ partial_images: 3, size: '1536x1024', quality: 'low' })));
    const partials = values.filter(({ type }) => type === partial);
    for (const [index, value] of partials.entries()) {
      expect(value).toEqual({
        type: partial,
        item_id: expect.stringMatching(/^ig_/),
        output_index: 0,
        sequence_number: 5 + index,
        partial_image_index: index,
        partial_image_b64: expect.any(String),
        size: '1536x1024',
        quality: 'low',
        background: 'opaque',
        output_format: 'png',
      });
      expect(await looksOf(value.partial_image_b64)).toBe('png 1536x1024');
    }
    expect(new Set(partials.map(({ partial_image_b64 }) => partial_image_b64)).size).toBe(3);
  });

  test('of an agent has as many partial images as its own tool wants: one', async () => {
    const received = await callAgent(caller, { stream: true });
    expect(typesIn(received)).toEqual(usual.toSpliced(usual.indexOf(partial), 1));
  });

  test('without a forced tool is a message', async () => {
    const received = await stream('none', { tool_choice: 'auto' });
    expect(typesIn(received)).toEqual([...usual.slice(0, 2), ...messageEvents, 'response.completed']);
  });
});

describe('scenarios of streams', () => {
  test('stream-error-nested refuses with an error in the error', async () => {
    const received = await stream('stream-error-nested');
    expect(typesIn(received)).toEqual([...opening, 'error']);
    expect(valuesIn(received).at(-1)).toEqual({ error: expect.objectContaining({ code: 'moderation_blocked' }) });
  });

  test('stream-error-flat refuses in the shape of the Responses API', async () => {
    const code = 'moderation_blocked';
    const error = { type: 'error', code, message: expect.any(String), param: null, sequence_number: 5 };
    expect(valuesIn(await stream('stream-error-flat')).at(-1)).toEqual(error);
    expect(caller.simulator.ledger.counts().billed).toBe(0);
  });

  test('stream-error-late refuses after one partial image', async () => {
    const received = await stream('stream-error-late');
    expect(typesIn(received)).toEqual([...opening, partial, 'error']);
    expect(valuesIn(received).at(-1).error.moderation_details.moderation_stage).toBe('output');
  });

  test('stream-cut ends after one partial image, and is billed', async () => {
    expect(typesIn(await stream('stream-cut'))).toEqual([...opening, partial]);
    expect(caller.simulator.ledger.counts().billed).toBe(1);
  });

  test.each([
    ['stream-reset', 'nothing', 'ECONNRESET'],
    ['stream-stall', 'partial_image_index', 'partial_image_index'],
    ['stream-stall-comments', ': keep-alive', ': keep-alive'],
  ])('%s is read until %s', async (scenario, text, seen) => {
    const read = await readUntil(scenario, text);
    expect(read).toContain(seen);
    expect(read).not.toContain(completed);
  });

  test('stream-json responds without a stream', async () => {
    const received = await stream('stream-json');
    expect([received.headers['content-type'], responseIn(received).status]).toEqual(['application/json', 'completed']);
  });

  test.each(['stream-crlf', 'stream-cr', 'stream-comments', 'stream-bom', 'stream-split'])(
    '%s has the usual events',
    async (scenario) => {
      const received = await stream(scenario);
      expect(typesIn(received)).toEqual(usual);
      expect(valuesIn(received).at(-1).sequence_number).toBe(usual.length - 1);
      await expectDefaultImages(received);
    },
  );

  test('stream-no-event-names has the types in the data only', async () => {
    const received = await stream('stream-no-event-names');
    expect([new Set(typesIn(received)), valuesIn(received).map(({ type }) => type)]).toEqual([new Set(['']), usual]);
  });

  test('stream-unknown-events has decoys in between', async () => {
    const received = await stream('stream-unknown-events');
    expect(typesIn(received).filter((type) => usual.includes(type))).toEqual(usual);
    expect(typesIn(received).filter((type) => type === ofCall('rendering'))).toHaveLength(usual.length + 1);
  });

  test('stream-done ends with [DONE]', async () => {
    expect((await stream('stream-done')).bytes.toString()).toMatch(/\n\ndata: \[DONE\]\n\n$/);
  });

  test('stream-double brings the same item twice, and is billed once', async () => {
    const items = valuesIn(await stream('stream-double')).flatMap(({ type, item }) => (type === done ? [item.id] : []));
    expect([items.length, items[0] === items[1], items[1] === items[2]]).toEqual([3, true, false]);
    expect(caller.simulator.ledger.counts().billed).toBe(1);
  });

  test('stream-unordered sends the indices 2, 0, 1', async () => {
    const values = valuesIn(await stream('stream-unordered', withTool({ partial_images: 3 })));
    expect(values.flatMap(({ partial_image_index: index }) => index ?? [])).toEqual([2, 0, 1]);
  });

  test('stream-big pads the finished image', async () => {
    const [amid, , finished] = imagesIn(await stream('stream-big-3'));
    expect(amid?.length).toBeLessThan(megabyte);
    expect(finished?.length).toBeGreaterThan(4 * megabyte);
  });

  test('stream-late-members has the image first and the type last, in events and items', async () => {
    const received = await stream('stream-late-members');
    for (const value of valuesIn(received)) {
      expect(Object.keys(value).at(-1)).toBe('type');
      if (value.type === partial) expect(Object.keys(value)[0]).toBe('partial_image_b64');
      if (value.item?.result) expect(Object.keys(value.item)[0]).toBe('result');
    }
    await expectDefaultImages(received);
  });
});

describe('scenarios of all responses, in a stream', () => {
  test.each([
    ['agent-failed', 'response.failed', { error: { code: 'server_error' } }],
    ['agent-failed-rate-limit', 'response.failed', { error: { code: 'rate_limit_exceeded' } }],
    ['agent-cancelled', 'response.failed', { status: 'cancelled' }],
    ['filter-200-task', 'response.failed', { error: { code: 'contentFilter' } }],
    ['agent-incomplete-filter', 'response.incomplete', { incomplete_details: { reason: 'content_filter' } }],
  ])('%s ends as %s', async (scenario, type, response) => {
    const received = await stream(scenario);
    expect(typesIn(received)).toEqual(['response.created', 'response.in_progress', type]);
    expect(valuesIn(received).at(-1)).toMatchObject({ response });
  });

  test.each([
    ['filter-item', 'contentFilter'],
    ['agent-call-failed', 'moderation_blocked'],
  ])('%s fails the call and completes the response', async (scenario, code) => {
    const received = await stream(scenario);
    expect(typesIn(received)).toEqual(usual.filter((type) => type !== completed));
    expect(valuesIn(received).find(({ type }) => type === done).item).toMatchObject({
      status: 'failed',
      error: { code },
    });
  });

  test('agent-refusal refuses in a message', async () => {
    const received = await stream('agent-refusal');
    expect(typesIn(received)).toContain('response.refusal.done');
    expect(imagesIn(received)).toEqual([]);
  });

  test('agent-two-images brings two, of two calls', async () => {
    const values = valuesIn(await stream('agent-two-images'));
    expect(values.filter(({ type }) => type === completed).map(({ output_index }) => output_index)).toEqual([0, 1]);
    const [first, second] = values.at(-1).response.output;
    expect(first.result).not.toBe(second.result);
  });

  test('agent-completed-only has the image at the very end', async () => {
    const received = await stream('agent-completed-only');
    expect(valuesIn(received).filter(({ item }) => item?.result)).toEqual([]);
    expect(await looksOf(valuesIn(received).at(-1).response.output[0].result)).toBe('png 1024x1024');
  });

  test('empty-data has a result of null everywhere', async () => {
    const values = valuesIn(await stream('empty-data'));
    const results = values.flatMap(({ item, response }) => [item?.result, response?.output[0]?.result]);
    expect([values.map(({ type }) => type), new Set(results)]).toEqual([usual, new Set([undefined, null])]);
  });

  test('escaped and extra-fields have the usual images', async () => {
    for (const scenario of ['escaped', 'extra-fields']) await expectDefaultImages(await stream(scenario));
  });

  test.each(['truncated-length', 'truncated-chunked', 'reset', 'reset-before-headers'])(
    '%s breaks off',
    async (name) => {
      await expect(stream(name)).rejects.toThrow();
      expect(caller.simulator.ledger.counts().billed).toBe(1);
    },
  );
});

test('every scenario of streams has been given a test here, and is billed as the table says', async () => {
  const source = await readFile(import.meta.filename, 'utf8');
  const table: readonly ScenarioDescription[] = scenarios;
  const ofStreams = table.filter(({ reach }) => reach === 'stream');
  expect(ofStreams.filter(({ name }) => !source.includes(`'${name}`))).toEqual([]);
  const quick = ofStreams.filter(({ name }) => !/stall|reset|big/.test(name));
  for (const { name } of quick) expect((await stream(name, withTool({ partial_images: 1 }))).status).toBe(200);
  const billed = quick.filter((row) => row.billed).map(({ name }) => [name, 1]);
  expect(caller.simulator.ledger.counts().billedByScenario).toEqual(Object.fromEntries(billed));
});
