import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobPhase } from '../../simulator/operations.ts';
import {
  callAgent,
  headersFor,
  looksOf,
  projectPath,
  type ResponseObject,
  resourcePath,
  respond,
  responseIn,
  resultsOf,
  tokenFor,
} from './call-responses.ts';
import { type Caller, json, openCaller, type ReceivedResponse } from './call-simulator.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const headers = headersFor('gpt-image-2');
const start = (scenario: string, members = {}, at = caller) =>
  respond(at, `gpt-image-2--${scenario}`, { background: true, ...members });
const poll = (id: string, at = caller) => at.call('GET', `${resourcePath}/${id}`, undefined, headers);
const cancel = (id: string, at = caller) => at.call('POST', `${resourcePath}/${id}/cancel`, undefined, headers);
const idOf = (received: ReceivedResponse) => responseIn(received).id;

/** Polls until the response has ended. */
async function endOf(id: string): Promise<ResponseObject> {
  for (;;) {
    const response = responseIn(await poll(id));
    if (!['queued', 'in_progress'].includes(response.status)) return response;
    await wait(2);
  }
}

describe('a response in background', () => {
  test('is queued first and ends with its image, the same each time', async () => {
    const received = await start('none');
    expect(responseIn(received)).toMatchObject({ status: 'queued', background: true, output: [], usage: null });
    const response = await endOf(idOf(received));
    expect(response.status).toBe('completed');
    expect(await looksOf(resultsOf(response)[0])).toBe('png 1024x1024');
    expect(responseIn(await poll(response.id))).toEqual(response);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 1, received: 1, cancelled: 0 });
  });

  test.each([
    ['agent-text-only', 'completed', {}],
    ['agent-failed', 'failed', { error: { code: 'server_error' } }],
    ['agent-incomplete', 'incomplete', { incomplete_details: { reason: 'max_output_tokens' } }],
    ['agent-cancelled', 'cancelled', { output: [] }],
    ['filter-200-image', 'failed', { error: { code: 'contentFilter' } }],
  ])('%s ends as %s', async (scenario, status, members) => {
    const received = await start(scenario);
    expect(responseIn(received)).toMatchObject({ status: 'queued', error: null, output: [] });
    expect(await endOf(idOf(received))).toMatchObject({ status, ...members });
  });

  test('agent-lost is not found, nor to be cancelled', async () => {
    const id = idOf(await start('agent-lost'));
    const allReceived = [await poll(id), await poll(id), await cancel(id)];
    expect(allReceived.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 1, cancelled: 0 });
  });

  test.each([
    ['agent-poll-500', [500, 500, 200]],
    ['agent-poll-500-1', [500, 200, 200]],
  ])('%s fails the first polls', async (scenario, statuses) => {
    const id = idOf(await start(scenario));
    const allReceived = [await poll(id), await poll(id), await poll(id)];
    expect(allReceived.map(({ status }) => status)).toEqual(statuses);
  });

  test('spells and calls its polls as the scenario wants', async () => {
    const escaped = await start('escaped');
    await endOf(idOf(escaped));
    expect((await poll(idOf(escaped))).bytes.toString()).toContain('\\/');
    expect((await poll(idOf(await start('text-plain')))).headers['content-type']).toContain('text/plain');
    expect(json(await poll(idOf(await start('slow-body-1')))).status).toBeTypeOf('string');
  });
});

describe('the states in between', () => {
  let instant: Caller;
  beforeEach(async () => {
    instant = await openCaller({ operationMs: 0 });
  });
  afterEach(() => instant.close());

  test.each([
    [0, 'queued'],
    [1, 'running'],
    [3, 'over'],
  ])('after %i of three milliseconds it is %s', (elapsed, phase) => {
    expect(jobPhase(elapsed, 3)).toBe(phase);
  });

  test('agent-stuck stays in progress until it is cancelled', async () => {
    const id = idOf(await start('agent-stuck', {}, instant));
    for (const _ of [1, 2]) expect(responseIn(await poll(id, instant)).status).toBe('in_progress');
    expect(responseIn(await cancel(id, instant))).toMatchObject({ status: 'cancelled', output: [], error: null });
    expect(responseIn(await poll(id, instant)).status).toBe('cancelled');
  });
});

describe('a cancel', () => {
  let hour: Caller;
  beforeEach(async () => {
    hour = await openCaller({ operationMs: 3_600_000 });
  });
  afterEach(() => hour.close());

  test('ends a queued response for good, counts once, and leaves the bill', async () => {
    const id = idOf(await start('none', {}, hour));
    expect(responseIn(await poll(id, hour)).status).toBe('queued');
    for (const _ of [1, 2]) {
      const received = await cancel(id, hour);
      expect([received.status, responseIn(received).status]).toEqual([200, 'cancelled']);
    }
    expect(responseIn(await poll(id, hour))).toMatchObject({ status: 'cancelled', output: [] });
    expect(hour.simulator.ledger.counts()).toMatchObject({ billed: 1, cancelled: 1, received: 1 });
  });

  test('of what has ended changes nothing', async () => {
    const { id } = await endOf(idOf(await start('none')));
    expect(responseIn(await cancel(id)).status).toBe('completed');
    expect(caller.simulator.ledger.counts().cancelled).toBe(0);
  });

  test('of what is not in background is refused', async () => {
    const received = await cancel(idOf(await respond(caller, 'gpt-image-2')));
    expect([received.status, json(received).error.type]).toEqual([400, 'invalid_request_error']);
  });

  test('of an unknown id finds nothing', async () => {
    expect((await cancel('resp_1')).status).toBe(404);
  });
});

describe('a poll', () => {
  test('finds what was stored, in background or not', async () => {
    const stored = responseIn(await respond(caller, 'gpt-image-2'));
    expect(responseIn(await poll(stored.id))).toEqual(stored);
    const { id } = responseIn(await respond(caller, 'gpt-image-2', { store: false }));
    expect([(await poll(id)).status, json(await poll(id)).error.message]).toEqual([
      404,
      `Response with id '${id}' not found.`,
    ]);
  });

  test('finds a response where it was made, on both paths of a project', async () => {
    const authorization = `Bearer ${await tokenFor(caller, 'https://ai.azure.com')}`;
    const received = await callAgent(caller, { background: true });
    const find = async (path: string) =>
      (await caller.call('GET', path.replace('ID', idOf(received)), undefined, { authorization })).status;
    expect(await find(`${projectPath}/ID`)).toBe(200);
    expect(await find('/api/projects/studio/openai/responses/ID?api-version=2025-11-15-preview')).toBe(200);
    expect(await find('/api/projects/studio/openai/responses/ID')).toBe(404);
    expect(await find('/api/projects/another/openai/v1/responses/ID')).toBe(404);
    expect(await find('/openai/v1/responses/ID')).toBe(404);
  });
});
