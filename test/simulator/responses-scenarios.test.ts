import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ScenarioDescription, scenarios } from '../../simulator/scenarios.ts';
import { dataUrl, looksOf, message, respond, responseIn, resultsOf, withTool } from './call-responses.ts';
import { type Caller, json, openCaller } from './call-simulator.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const table: readonly ScenarioDescription[] = scenarios;
const play = (scenario: string, members = {}) => respond(caller, `gpt-image-2--${scenario}`, members);
const responseOf = async (scenario: string) => responseIn(await play(scenario));
const red = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#f00' } })
  .png()
  .toBuffer();
const [call, text] = ['image_generation_call', 'message'];

describe('scenarios of agents', () => {
  test.each([
    ['agent-text-only', 'completed', [text], {}],
    ['agent-refusal', 'completed', [text], {}],
    ['agent-two-images', 'completed', [call, call, text], {}],
    ['agent-failed', 'failed', [], { error: { code: 'server_error' } }],
    ['agent-failed-rate-limit', 'failed', [], { error: { code: 'rate_limit_exceeded' } }],
    ['agent-failed-policy', 'failed', [], { error: { code: 'image_content_policy_violation' } }],
    ['agent-failed-image', 'failed', [], { error: { code: 'invalid_image' } }],
    ['agent-call-failed', 'completed', [call, text], {}],
    ['agent-incomplete', 'incomplete', [text], { incomplete_details: { reason: 'max_output_tokens' } }],
    ['agent-incomplete-filter', 'incomplete', [], { incomplete_details: { reason: 'content_filter' } }],
    ['agent-cancelled', 'cancelled', [], {}],
    ['agent-in-progress', 'in_progress', [], { background: false, usage: null }],
  ])('%s is %s with %j', async (scenario, status, types, members) => {
    const received = await play(scenario);
    const response = responseIn(received);
    expect(received.status).toBe(200);
    expect(response).toMatchObject({ error: null, incomplete_details: null, ...members, status });
    expect(response.output.map(({ type }) => type)).toEqual(types);
  });

  test('agent-refusal refuses in words', async () => {
    const [item] = (await responseOf('agent-refusal')).output;
    expect(item?.content).toEqual([{ type: 'refusal', refusal: expect.any(String) }]);
  });

  test('agent-two-images are two, and on the bill', async () => {
    const madeImages = resultsOf(await responseOf('agent-two-images'));
    expect([madeImages.length, new Set(madeImages).size]).toEqual([2, 2]);
    for (const made of madeImages) expect(await looksOf(made)).toBe('png 1024x1024');
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 1, images: 2 });
  });

  test('agent-call-failed has the error in the call', async () => {
    const [item] = (await responseOf('agent-call-failed')).output;
    expect(item).toMatchObject({
      status: 'failed',
      result: null,
      error: { code: 'moderation_blocked', message: expect.any(String), type: 'image_generation_user_error' },
    });
    expect(item?.error?.moderation_details).toEqual({ moderation_stage: 'output', categories: ['violence'] });
  });

  test.each([
    ['agent-huge-prompt', 512],
    ['agent-huge-prompt-7', 7],
  ])('%s has a revised prompt of %i kilobytes', async (scenario, kilobytes) => {
    const [item] = (await responseOf(scenario)).output;
    expect(String(item?.revised_prompt).length).toBe(kilobytes * 1024);
  });

  test.each([
    ['agent-huge-echo', 8],
    ['agent-huge-echo-1', 1],
  ])('%s has instructions of %i megabytes before the output', async (scenario, megabytes) => {
    const response = await responseOf(scenario);
    expect(String(response.instructions).length).toBe(megabytes * 1024 * 1024);
    expect(Object.keys(response).indexOf('instructions')).toBeLessThan(Object.keys(response).indexOf('output'));
    expect(resultsOf(response)).toHaveLength(1);
  });

  test('agent-late-members has the image first, type and status last', async () => {
    const response = await responseOf('agent-late-members');
    const names = Object.keys(response.output[0] ?? {});
    expect([names[0], ...names.slice(-2)]).toEqual(['result', 'type', 'status']);
    expect([Object.keys(response)[0], Object.keys(response).at(-1)]).toEqual(['output', 'status']);
  });

  test('agent-error-details names the parameter of a refusal in its details, and draws what is right', async () => {
    const { error } = json(await play('agent-error-details', { user: 7 }));
    expect([error.param, error.details]).toEqual([
      null,
      [{ code: 'ValidationError', message: error.message, param: 'user' }],
    ]);
    expect(resultsOf(await responseOf('agent-error-details'))).toHaveLength(1);
  });

  test('agent-opaque says nothing that helps', async () => {
    const received = await play('agent-opaque');
    const error = { type: 'invalid_request_error', param: null, code: null };
    const words = 'There was an issue with your request. Please check your inputs and try again.';
    expect([received.status, json(received)]).toEqual([400, { error: { message: words, ...error } }]);
  });

  test.each([
    ['agent-in-progress', { background: true }],
    ['agent-in-progress', { stream: true, ...withTool({ partial_images: 1 }) }],
    ['agent-completed-only', {}],
    ['agent-completed-only', { background: true }],
    ['agent-lost', {}],
    ['agent-poll-500', { stream: true, ...withTool({ partial_images: 1 }) }],
    ['agent-stuck', {}],
  ])('%s means nothing with %j', async (scenario, members) => {
    const received = await play(scenario, members);
    expect([received.status, json(received).error.code]).toEqual([400, 'scenario_out_of_reach']);
    expect(caller.simulator.ledger.counts().billed).toBe(0);
  });

  test('mean nothing in other flows', async () => {
    const received = await caller.generate('gpt-image-2--agent-failed', { prompt: 'a cat' });
    expect([received.status, json(received).error.code]).toEqual([400, 'scenario_out_of_reach']);
  });
});

describe('scenarios of all responses', () => {
  const imagesOf = (received: Awaited<ReturnType<typeof play>>) => resultsOf(responseIn(received));

  test('filter-item fails the call', async () => {
    expect((await responseOf('filter-item')).output[0]).toMatchObject({
      status: 'failed',
      result: null,
      error: { code: 'contentFilter', message: expect.any(String), type: 'image_generation_user_error' },
    });
  });

  test('empty-data has a call without image', async () => {
    expect((await responseOf('empty-data')).output[0]).toMatchObject({ type: call, status: 'completed', result: null });
  });

  test.each(['filter-200-task', 'filter-200-image'])('%s is a response that failed', async (scenario) => {
    expect(await responseOf(scenario)).toMatchObject({
      status: 'failed',
      error: { code: 'contentFilter' },
      output: [],
    });
  });

  test('no-created leaves the time out', async () => {
    expect(await responseOf('no-created')).not.toHaveProperty('created_at');
  });

  test('not-an-image is base64 of a text', async () => {
    await expect(looksOf(resultsOf(await responseOf('not-an-image'))[0])).rejects.toThrow();
  });

  test.each(['slow-5', 'slow-body-5', 'text-plain', 'octet-stream', 'escaped', 'extra-fields'])(
    '%s has the usual image',
    async (scenario) => {
      const isSame = imagesOf(await play(scenario))[0] === imagesOf(await play('none'))[0];
      expect(isSame).toBe(true);
    },
  );

  test('big pads it', async () => {
    expect(imagesOf(await play('big-20'))[0]?.length).toBeGreaterThan(24 * 1024 * 1024);
  });

  test.each(['truncated-length', 'truncated-chunked', 'reset', 'reset-before-headers'])(
    '%s breaks off, and is billed',
    async (scenario) => {
      await expect(play(scenario)).rejects.toThrow();
      expect(caller.simulator.ledger.counts().billed).toBe(1);
    },
  );

  test.each([
    ['unsupported-content-type', [400, 400]],
    ['unsupported-content-type-once', [400, 200]],
  ])('%s is one of edits', async (scenario, statuses) => {
    expect((await play(scenario)).status).toBe(400);
    const edit = { input: [message(`a hat ${scenario}`, dataUrl(red))] };
    const allReceived = [await play(scenario, edit), await play(scenario, edit)];
    expect(allReceived.map(({ status }) => status)).toEqual(statuses);
  });
});

test('every scenario within reach is billed as the table says', async () => {
  const isLeftOut = /^(?:hang|unsupported-.*|url-item|agent-completed-only|agent-lost|agent-poll-500|agent-stuck)$/;
  const reaches = ['all', 'synchronous', 'gpt-image', 'agent'];
  const played = table.filter(({ name, reach }) => reaches.includes(reach) && !isLeftOut.test(name));
  for (const { name } of played) await play(name === 'slow' ? 'slow-1' : name).catch(() => undefined);
  const billed = played.filter((row) => row.billed).map(({ name }) => [name === 'slow' ? 'slow-1' : name, 1]);
  expect(caller.simulator.ledger.counts().billedByScenario).toEqual(Object.fromEntries(billed));
});

test('every scenario of agents has been given a test', async () => {
  const sources = await Promise.all(
    ['scenarios', 'background', 'stream'].map((name) =>
      readFile(new URL(`responses-${name}.test.ts`, import.meta.url), 'utf8'),
    ),
  );
  const untested = table.filter(({ name, reach }) => reach === 'agent' && !sources.join().includes(`'${name}`));
  expect(untested).toEqual([]);
});
