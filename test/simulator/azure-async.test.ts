import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isEndStatus, operationStatus } from '../../simulator/operations.ts';
import { type Caller, json, type OperationBody, openCaller } from './call-simulator.ts';

let caller: Caller;
let patient: Caller;
beforeAll(async () => {
  caller = await openCaller();
  patient = await openCaller({ operationMs: 3_600_000 });
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(async () => {
  await caller.close();
  await patient.close();
});

const hasEnded = ({ status }: OperationBody) => !['notRunning', 'running'].includes(status);

async function submitted(members: Record<string, unknown>, apiVersion?: string): Promise<string> {
  return String((await caller.submit({ prompt: 'a cat', ...members }, apiVersion)).headers['operation-location']);
}

const ended = async (scenario: string, members = {}) =>
  caller.pollUntil(await submitted({ prompt: `a cat simulate:${scenario}`, ...members }), hasEnded);

describe('submit and poll', () => {
  test('leads through the states to links of images', async () => {
    const accepted = await caller.submit({ prompt: 'a cat', n: 2, size: '256x256', response_format: 'url' });
    expect(accepted.status).toBe(202);
    const { id, status } = json(accepted);
    expect(status).toBe('notRunning');
    const location = `${caller.simulator.origin}/openai/operations/images/${id}?api-version=2023-06-01-preview`;
    expect(accepted.headers['operation-location']).toBe(location);
    const body = await caller.pollUntil(location, hasEnded);
    expect(body).toMatchObject({ id, status: 'succeeded', expires: body.created + 86_400 });
    expect(body.result?.data).toHaveLength(2);
    for (const { url = '' } of body.result?.data ?? []) {
      const { width, height } = await sharp((await caller.call('GET', url, undefined, {})).bytes).metadata();
      expect([width, height]).toEqual([256, 256]);
    }
    expect(caller.simulator.ledger.generations).toEqual([
      {
        operation: 'generate',
        flow: 'azure-async',
        deployment: 'dall-e-2',
        prompt: 'a cat',
        images: 2,
        scenario: 'none',
      },
    ]);
  });

  test('a third of the time passes queued, the rest running', () => {
    expect([0, 199, 200, 599, 600].map((elapsed) => operationStatus('none', elapsed, 600))).toEqual([
      'notRunning',
      'notRunning',
      'running',
      'running',
      'succeeded',
    ]);
    expect(isEndStatus('running')).toBe(false);
  });

  test('2023-10-01-preview names another path and version, and only there the operation is found', async () => {
    const location = await submitted({}, '2023-10-01-preview');
    expect(location).toContain('/openai/dalle/operations/images/');
    expect(location).toContain('api-version=2023-08-01-preview');
    expect((await caller.pollUntil(location, hasEnded)).status).toBe('succeeded');
    expect((await caller.call('GET', location.replace('/dalle/', '/'))).status).toBe(404);
  });

  test.each([
    ['no version', ''],
    ['a later version', '?api-version=2023-12-01-preview'],
  ])('%s is no resource', async (_name, query) => {
    const response = await caller.call('POST', `/openai/images/generations:submit${query}`, { prompt: 'a cat' });
    expect([response.status, response.headers['x-ms-error-code']]).toEqual([404, '404']);
    const location = await submitted({});
    expect((await caller.call('GET', `${location.split('?')[0]}${query}`)).status).toBe(404);
  });

  test.each([
    [{ n: 6 }],
    [{ n: null }],
    [{ size: '1024x1536' }],
    [{ size: 'auto' }],
    [{ response_format: 'b64_json' }],
    [{ quality: 'standard' }],
    [{ style: 'vivid' }],
    [{ model: null }],
    [{ prompt: undefined }],
    [{ prompt: 'x'.repeat(1001) }],
    [{ prompt: 'a cat simulate:flood' }],
    [{ prompt: 'a cat simulate:url-item' }],
  ])('refuses %j', async (members) => {
    const response = await caller.submit({ prompt: 'a cat', ...members });
    expect(response.status).toBe(400);
    expect(json(response).error.details).toEqual([]);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 1 });
  });

  test('model and user are allowed', async () => {
    expect((await caller.submit({ prompt: 'a cat', model: 'anything', user: 'me' })).status).toBe(202);
  });

  test('every call needs the key, and an unknown id is not found', async () => {
    const location = await submitted({});
    expect((await caller.call('GET', location, undefined, {})).status).toBe(401);
    expect((await caller.call('DELETE', location, undefined, {})).status).toBe(401);
    const unknown = '/openai/operations/images/nobody?api-version=2023-06-01-preview';
    expect((await caller.call('GET', unknown)).status).toBe(404);
    expect((await caller.call('DELETE', unknown)).status).toBe(404);
  });

  test('an operation is deleted in an end state only', async () => {
    const location = await submitted({});
    await caller.pollUntil(location, hasEnded);
    expect((await caller.call('DELETE', location)).status).toBe(204);
    expect((await caller.call('GET', location)).status).toBe(404);
    const running = String((await patient.submit({ prompt: 'a cat' })).headers['operation-location']);
    expect(json(await patient.call('GET', running)).status).toBe('notRunning');
    expect((await patient.call('DELETE', running)).status).toBe(409);
  });
});

describe('operation scenarios', () => {
  test.each([
    ['operation-failed', 'failed', false],
    ['operation-filtered', 'failed', false],
    ['operation-canceled', 'canceled', false],
    ['operation-deleted', 'deleted', true],
    ['operation-unknown-status', 'paused', true],
  ])('%s ends as %s', async (scenario, status, billed) => {
    const body = await ended(scenario);
    expect(body.status).toBe(status);
    expect(body.result).toBeUndefined();
    expect(caller.simulator.ledger.counts().billed).toBe(billed ? 1 : 0);
    if (scenario === 'operation-filtered') expect(body.error?.code).toBe('contentFilter');
  });

  test('operation-never runs on', () => {
    expect(operationStatus('operation-never', 1e9, 600)).toBe('running');
  });

  test('operation-item-filtered, -empty and -top-level-data change the result', async () => {
    const filtered = (await ended('operation-item-filtered', { n: 3 })).result?.data ?? [];
    expect(filtered.map(({ url, error }) => (url === undefined ? error?.code : 'url'))).toEqual([
      'url',
      'url',
      'contentFilter',
    ]);
    expect((await ended('operation-empty')).result?.data).toEqual([]);
    const top = await ended('operation-top-level-data');
    expect([top.data?.length, top.result]).toEqual([1, undefined]);
  });

  test.each([
    ['operation-404', 404],
    ['operation-poll-429', 429],
    ['operation-poll-500', 500],
  ])('%s hinders the first two polls', async (scenario, status) => {
    const location = await submitted({ prompt: `simulate:${scenario}` });
    const statuses = [];
    for (let poll = 0; poll < 3; poll += 1) statuses.push((await caller.call('GET', location)).status);
    expect(statuses).toEqual([status, status, 200]);
  });

  test('operation-lost is never found, operation-redirect always elsewhere', async () => {
    const lost = await submitted({ prompt: 'simulate:operation-lost' });
    const moved = await submitted({ prompt: 'simulate:operation-redirect' });
    for (let poll = 0; poll < 4; poll += 1) expect((await caller.call('GET', lost)).status).toBe(404);
    const redirect = await caller.call('GET', moved);
    expect(redirect.status).toBe(302);
    expect(redirect.headers.location).toMatch(/^http:\/\/localhost:\d+\//);
  });

  test('the operation-location can be absent, foreign, outside or relative', async () => {
    const at = async (scenario: string) =>
      (await caller.submit({ prompt: `simulate:${scenario}` })).headers['operation-location'];
    expect(await at('operation-no-header')).toBeUndefined();
    expect(await at('operation-foreign-host')).toMatch(/^https:\/\/gateway\.example\.invalid\/openai\/operations\//);
    expect(await at('operation-outside')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/outside\//);
    expect(await at('operation-relative')).toMatch(/^\/openai\/operations\/images\//);
  });

  test('operation-retry-after demands a wait, operation-big returns megabytes', async () => {
    const accepted = await caller.submit({ prompt: 'simulate:operation-retry-after-7' });
    expect(accepted.headers['retry-after']).toBe('7');
    const poll = await caller.call('GET', String(accepted.headers['operation-location']));
    expect(poll.headers['retry-after']).toBe('7');
    const big = await caller.call('GET', await submitted({ prompt: 'simulate:operation-big' }));
    expect(big.bytes.length).toBeGreaterThan(10 * 1024 * 1024);
    expect(json(big).id).toBeTypeOf('string');
  });

  test('escaped and extra-fields show in the poll as well', async () => {
    const escaped = await ended('escaped');
    expect(escaped.result?.data[0]?.url).toContain('&sig=');
    expect((await ended('extra-fields')).result?.data).toHaveLength(1);
  });
});
