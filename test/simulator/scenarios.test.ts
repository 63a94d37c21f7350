import { once } from 'node:events';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chooseScenario } from '../../simulator/choose-scenario.ts';
import { scenarios } from '../../simulator/scenarios.ts';
import { type Caller, json, openCaller, postOverSocket, readToEnd } from './call-simulator.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const generate = (scenario: string, members = {}) =>
  caller.generate(`gpt-image-2--${scenario}`, { prompt: 'a cat', ...members });

/** Sends a call over a plain socket and reads until the other side ends. */
const rawCall = (scenario: string, members = {}) =>
  readToEnd(postOverSocket(caller.simulator.origin, `gpt-image-2--${scenario}`, members));

function partsOf(text: string) {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const length = /content-length: (\d+)/.exec(head)?.[1];
  return { head, body: rest.join('\r\n\r\n'), length: Number(length) };
}

describe('the choice of a scenario', () => {
  test.each([
    ['a cat', 'gpt-image-2', { name: 'none' }],
    ['a cat', 'gpt-image-2-mine--hang', { name: 'hang' }],
    ['a cat simulate:slow-3000, please', '', { name: 'slow', value: 3000 }],
    ['simulate:slow', '', { name: 'slow', value: 1000 }],
    ['simulate:429-seconds-7', 'gpt-image-2--500', { name: '429-seconds', value: 7, spelled: '429-seconds-7' }],
    ['simulate:500', '', { name: '500', value: 0 }],
    ['simulate:operation-poll-500', '', { name: 'operation-poll-500', value: 2 }],
  ])('%s to %s', (prompt, deployment, scenario) => {
    expect(chooseScenario(prompt, deployment)).toMatchObject({ scenario });
  });

  test.each(['flood', 'hang-5', 'big-65', '-3', 'none-'])('knows no %s', (name) => {
    expect(chooseScenario(`simulate:${name}`)).toEqual({ unknownName: name });
  });

  test('is from a table without double names', async () => {
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
    expect(json(await caller.call('GET', '/simulator/scenarios'))).toEqual(scenarios);
  });
});

describe('responses without images', () => {
  test.each([
    ['429-ms', 429, 'exceeded call rate limit'],
    ['429-seconds', 429, 'exceeded call rate limit'],
    ['429-date', 429, 'exceeded call rate limit'],
    ['429-text', 429, 'Please retry after 38 seconds'],
    ['429-flat', 429, '"statusCode":429'],
    ['429-none', 429, 'exceeded call rate limit'],
    ['429-quota', 429, 'insufficient_quota'],
    ['503-busy', 503, 'overloaded'],
    ['500', 500, 'InternalServerError'],
    ['500-html', 500, '<html>'],
    ['502-html', 502, '<html>'],
    ['503', 503, 'ServiceUnavailable'],
    ['504', 504, ''],
    ['408', 408, 'Timeout'],
    ['409', 409, 'Conflict'],
    ['403-blocked', 403, 'temporarily blocked'],
    ['403', 403, 'AccessDenied'],
    ['404-deployment', 404, 'DeploymentNotFound'],
    ['404-resource', 404, 'Resource not found'],
    ['redirect', 307, ''],
    ['unknown-parameter', 400, 'unknown_parameter'],
    ['invalid-size', 400, 'invalid_value'],
    ['filter-policy', 400, 'content_policy_violation'],
    ['filter-inner', 400, '"inner_error":{"code":"ResponsibleAIPolicyViolation"'],
    ['filter-200-task', 200, 'Your task failed'],
    ['filter-200-image', 200, 'Generated image was filtered'],
    ['moderation-blocked', 400, 'moderation_blocked'],
    ['error-in-200', 200, '"error"'],
    ['html-200', 200, '<html>'],
  ])('%s responds with %i and %s, in the synchronous and in the legacy flow', async (scenario, status, text) => {
    const responses = [await generate(scenario), await caller.submit({ prompt: `simulate:${scenario}` })];
    for (const response of responses) {
      expect(response.status).toBe(status);
      expect(response.bytes.toString()).toContain(text);
    }
    const { billed } = scenarios.find(({ name }) => name === scenario) ?? {};
    expect(caller.simulator.ledger.counts()).toMatchObject({ received: 2, billed: billed ? 2 : 0 });
  });

  test('the waits of 429 and 503 are in their headers', async () => {
    expect((await generate('429-ms')).headers['retry-after-ms']).toBe('1500');
    expect((await generate('429-seconds')).headers['retry-after']).toBe('2');
    expect((await generate('503-busy-9')).headers['retry-after']).toBe('9');
    expect(Date.parse(String((await generate('429-date')).headers['retry-after']))).toBeGreaterThan(0);
    for (const scenario of ['429-text', '429-flat', '429-none', '429-quota']) {
      const { headers } = await generate(scenario);
      expect([headers['retry-after'], headers['retry-after-ms']]).toEqual([undefined, undefined]);
    }
  });

  test('a redirect followed would show in the ledger', async () => {
    const { headers } = await generate('redirect');
    expect(headers.location).toBe(`${caller.simulator.origin.replace('127.0.0.1', 'localhost')}/redirected`);
  });
});

describe('timing', () => {
  test('slow and slow-body end with the whole response', async () => {
    for (const scenario of ['slow-20', 'slow-body-20']) expect(json(await generate(scenario)).data).toHaveLength(1);
  });

  test('hang is billed and never responds', async () => {
    const socket = postOverSocket(caller.simulator.origin, 'gpt-image-2--hang');
    const { ledger } = caller.simulator;
    await expect.poll(() => ledger.counts().billed).toBe(1);
    expect(socket.bytesRead).toBe(0);
    socket.destroy();
    await once(socket, 'close');
  });
});

describe('broken connections', () => {
  test.each(['truncated-length', 'reset'])('%s sends less than its content-length', async (scenario) => {
    const { text, end } = await rawCall(scenario);
    const { body, length } = partsOf(text);
    expect(body.length).toBe(Math.ceil(length / 2));
    expect(end).toBe(scenario === 'reset' ? 'ECONNRESET' : 'end');
  });

  test('truncated-chunked has no last chunk', async () => {
    const { text } = await rawCall('truncated-chunked');
    expect(partsOf(text).head).toContain('transfer-encoding: chunked');
    expect(text.endsWith('0\r\n\r\n')).toBe(false);
    await expect(generate('truncated-chunked')).rejects.toThrow();
  });

  test('truncated-close looks whole to an HTTP client, but its JSON is cut', async () => {
    const response = await generate('truncated-close');
    expect([response.status, response.headers['content-length']]).toEqual([200, undefined]);
    expect(() => json(response)).toThrow(SyntaxError);
  });

  test('reset-before-headers sends nothing at all', async () => {
    expect(await rawCall('reset-before-headers')).toEqual({ text: '', end: 'ECONNRESET' });
  });

  test('they are billed, in the legacy flow too', async () => {
    for (const scenario of ['truncated-length', 'truncated-chunked', 'reset', 'reset-before-headers']) {
      await expect(caller.submit({ prompt: `simulate:${scenario}` })).rejects.toThrow();
    }
    expect(caller.simulator.ledger.counts().billed).toBe(4);
  });
});

describe('bodies', () => {
  const image = (response: Awaited<ReturnType<typeof generate>>) =>
    Buffer.from(json(response).data[0].b64_json, 'base64');

  test.each([
    ['text-plain', 'text/plain'],
    ['octet-stream', 'application/octet-stream'],
  ])('%s is the right JSON called %s', async (scenario, contentType) => {
    const response = await generate(scenario);
    expect(response.headers['content-type']).toContain(contentType);
    expect((await sharp(image(response)).metadata()).width).toBe(1024);
  });

  test('filter-item errs in the last item', async () => {
    const { data } = json(await generate('filter-item', { n: 3 }));
    expect(data.map((item: object) => Object.keys(item)[0])).toEqual(['b64_json', 'b64_json', 'error']);
  });

  test('filter-item of one image sends no other member', async () => {
    expect(json(await generate('filter-item')).data).toEqual([
      { error: expect.objectContaining({ code: 'contentFilter' }) },
    ]);
  });

  test('empty-data and no-created leave things out', async () => {
    expect(json(await generate('empty-data')).data).toEqual([]);
    const body = json(await generate('no-created'));
    expect(body.created).toBeUndefined();
    expect(body.data).toHaveLength(1);
  });

  test('not-an-image is base64 of a text', async () => {
    await expect(sharp(image(await generate('not-an-image'))).metadata()).rejects.toThrow();
  });

  test('url-item returns a link that works', async () => {
    const [item] = json(await generate('url-item', { output_format: 'jpeg' })).data;
    expect(Object.keys(item)).toEqual(['url']);
    expect((await caller.call('GET', item.url, undefined, {})).headers['content-type']).toBe('image/jpeg');
  });

  test.each(['png', 'jpeg'])('big-20 streams a padded %s that decodes', async (format) => {
    const response = await generate('big-20', { output_format: format });
    const bytes = image(response);
    expect(bytes.length).toBeGreaterThan(20 * 1024 * 1024);
    expect(Number(response.headers['content-length'])).toBe(response.bytes.length);
    expect((await sharp(bytes).metadata()).width).toBe(1024);
  });

  test('escaped is the same value in unusual JSON', async () => {
    const usual = await generate('none');
    const escaped = await generate('escaped');
    expect(image(escaped).equals(image(usual))).toBe(true);
    const text = escaped.bytes.toString();
    expect(text).toContain('\\/');
    expect(text).toContain('\\u002b');
    expect(text.indexOf('"usage"')).toBeLessThan(text.indexOf('"data"'));
  });

  test('extra-fields adds much that is to be ignored, with a decoy before the data', async () => {
    const response = await generate('extra-fields');
    expect(response.bytes.length).toBeGreaterThan(200_000);
    expect(json(response).trace.data[0].b64_json).toBeTypeOf('string');
    expect((await sharp(image(response)).metadata()).width).toBe(1024);
  });
});

test('every scenario that reaches generations has been given a test here', async () => {
  const source = await import('node:fs/promises').then((fs) => fs.readFile(import.meta.filename, 'utf8'));
  const untested = scenarios.filter(
    ({ name, reach }) => !['legacy', 'download', 'stream', 'edit', 'agent'].includes(reach) && !source.includes(name),
  );
  expect(untested).toEqual([]);
});
