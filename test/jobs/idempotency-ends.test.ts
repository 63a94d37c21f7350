import { readdir, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startUpstream, tinyPng } from '../end-to-end/rig.ts';
import type { Called } from '../helpers/call-gateway.ts';
import {
  edit,
  generate,
  imagesIn,
  keyed,
  keyHeaders,
  type Members,
  operations,
  startPaidOnce,
  steadyHeaders,
} from './paid-once.ts';

const patience = { timeout: 60_000 };

const made = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

/** That a response tells the same failure again. */
function expectReplay(first: Called, again: Called): void {
  expect([again.status, again.text, steadyHeaders(again)]).toEqual([first.status, first.text, steadyHeaders(first)]);
  expect(keyHeaders(again)).toEqual({ job: keyHeaders(first).job, replayed: 'true' });
}

/** Scenarios in which asking again can only cost money, or the account. */
const final: readonly [string, number, Members?][] = [
  ['filter-policy', 400],
  ['filter-inner', 400],
  ['moderation-blocked', 400],
  ['filter-200-task', 400],
  ['filter-200-image', 400],
  ['unknown-parameter', 400],
  ['invalid-size', 400],
  ['500-html', 502],
  ['502-html', 502],
  ['504', 504],
  ['408', 504],
  ['html-200', 502],
  ['reset-before-headers', 502],
  ['empty-data', 502],
  ['not-an-image', 502],
  ['filter-policy', 400, { model: 'artist' }],
  ['agent-call-failed', 400, { model: 'artist' }],
  ['operation-filtered', 400, { model: 'dall-e-2', size: '256x256' }],
  ['operation-unknown-status', 502, { model: 'dall-e-2', size: '256x256' }],
  ['stream-error-nested', 400, { stream: true }],
  ['stream-reset', 502, { stream: true }],
];

describe('a request that was refused, or whose outcome is unknown, gets the same response again', () => {
  test.each(final)('simulate:%s, with status %i, %o', async (scenario, status, members = {}) => {
    const rig = await startPaidOnce({ modelKeys: { timeoutMs: 3_000 } });
    const request = { prompt: `simulate:${scenario}`, ...members };
    const first = await generate(rig.url, request, keyed('k'));
    expect(first.status).toBe(status);
    expect(keyHeaders(first)).toEqual({ job: expect.any(String), replayed: null });
    const { received } = rig;
    for (const repeated of [request, request, { ...request, response_format: 'b64_json' }]) {
      expectReplay(first, await generate(rig.url, repeated, keyed('k')));
    }
    expect(rig.received).toBe(received);
    // A new key is the consent to pay again.
    expect(keyHeaders(await generate(rig.url, request, keyed('k2'))).replayed).toBeNull();
    expect(rig.received).toBeGreaterThan(received);
  });

  test.each(['truncated-length', 'truncated-chunked', 'truncated-close', 'reset'])(
    'simulate:%s, which breaks off amid the response: the same unknown outcome from then on',
    async (scenario) => {
      const rig = await startPaidOnce();
      const request = { prompt: `simulate:${scenario}` };
      await expect(generate(rig.url, request, keyed('k'))).rejects.toThrow();
      const again = await generate(rig.url, request, keyed('k'));
      expect([again.status, again.json().error.code]).toEqual([502, 'upstream_outcome_unknown']);
      expect([keyHeaders(again).replayed, again.headers.get('x-should-retry')]).toEqual(['true', 'false']);
      expectReplay(again, await generate(rig.url, { ...request, stream: true }, keyed('k')));
      expect(rig.received).toBe(1);
    },
  );

  test('an edit, too, and at another gateway after a restart', async () => {
    for (const scenario of ['moderation-blocked', '500-html']) {
      const rig = await startPaidOnce();
      const members = { prompt: `simulate:${scenario}` };
      const first = await edit(rig.url, members, keyed('k'));
      expectReplay(first, await edit(rig.url, members, keyed('k')));
      await rig.app.server.close();
      const next = await startPaidOnce({ dataDir: rig.dataDir });
      expectReplay(first, await edit(next.url, members, keyed('k')));
      expect([rig.received, next.received]).toEqual([1, 0]);
    }
  });
});

describe('a request that was not processed, or that failed', () => {
  test.each<[string, number, Members?]>([
    ['429-seconds', 429],
    ['429-quota', 429],
    ['503-busy', 503],
    ['503', 502],
    ['500', 502],
    ['404-deployment', 502],
    ['403-blocked', 503],
    ['redirect', 502],
    ['error-in-200', 502],
    ['agent-failed', 502, { model: 'artist' }],
    ['agent-text-only', 502, { model: 'artist' }],
    ['operation-failed', 502, { model: 'dall-e-2', size: '256x256' }],
  ])('runs again: simulate:%s, with status %i, %o', async (scenario, status, members = {}) => {
    // The simulator chooses the scenario by the prompt, so that it is the same one again.
    const rig = await startPaidOnce();
    const request = { prompt: `simulate:${scenario}`, ...members };
    const first = await generate(rig.url, request, keyed('k'));
    expect([first.status, keyHeaders(first).replayed]).toEqual([status, null]);
    const again = await generate(rig.url, request, keyed('k'));
    expect([again.status >= 400, keyHeaders(again).replayed]).toEqual([true, null]);
    expect(keyHeaders(again).job).toBe(keyHeaders(first).job);
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['busy', (response) => void response.writeHead(503, { 'retry-after-ms': '1' }).end()],
    ['a rate limit', (response) => void response.writeHead(429, { 'retry-after-ms': '1' }).end()],
    [
      'a failure',
      (response) =>
        void response
          .writeHead(500, { 'content-type': 'application/json' })
          .end('{"error":{"code":"InternalServerError"}}'),
    ],
  ])('succeeds the next time: %s', async (_, fail) => {
    let calls = 0;
    const upstream = await startUpstream((_request, response) => {
      calls += 1;
      if (calls === 1) fail(response);
      else response.end(made);
    });
    const rig = await startPaidOnce({ origin: upstream.origin });
    expect((await generate(rig.url, {}, keyed('k'))).status).toBeGreaterThanOrEqual(429);
    const second = await generate(rig.url, {}, keyed('k'));
    expect([second.status, keyHeaders(second).replayed]).toEqual([200, null]);
    const third = await generate(rig.url, {}, keyed('k'));
    expect([third.status, third.text, keyHeaders(third).replayed]).toEqual([200, second.text, 'true']);
    expect(calls).toBe(2);
  });

  test('runs when there is room again, where the process was full', async () => {
    const held: ServerResponse[] = [];
    const upstream = await startUpstream((_request, response) => void held.push(response));
    const rig = await startPaidOnce({ origin: upstream.origin, limits: { inFlight: 1 } });
    // One is worked on, and two wait for it.
    const others = [1, 2, 3].map((index) => generate(rig.url, { prompt: `a dog ${index}` }));
    await expect.poll(() => rig.app.gateway.inFlight, patience).toBe(3);
    const refused = await generate(rig.url, {}, keyed('k'));
    expect([refused.status, refused.json().error.code]).toEqual([503, 'overloaded']);
    expect(refused.headers.get('x-should-retry')).toBeNull();
    const respond = async (count: number) => {
      await expect.poll(() => held.length, patience).toBe(count);
      held[count - 1]?.end(made);
    };
    for (const count of [1, 2, 3]) await respond(count);
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200, 200]);
    const [accepted] = await Promise.all([generate(rig.url, {}, keyed('k')), respond(4)]);
    expect([accepted.status, keyHeaders(accepted).replayed]).toEqual([200, null]);
  });

  test('that was not processed leaves its key to any other request; one that failed does not', async () => {
    const rig = await startPaidOnce();
    expect((await generate(rig.url, { prompt: 'simulate:503-busy' }, keyed('free'))).status).toBe(503);
    expect((await generate(rig.url, { prompt: 'a dog', model: 'studio/poster' }, keyed('free'))).status).toBe(200);
    expect((await generate(rig.url, { prompt: 'simulate:500' }, keyed('taken'))).status).toBe(502);
    expect((await generate(rig.url, { prompt: 'a dog' }, keyed('taken'))).status).toBe(422);
  });
});

describe('onUnknownOutcome: retry', () => {
  const lost = (response: ServerResponse) => void response.writeHead(502).end('<html>');
  const delivered = (response: ServerResponse) => void response.end(made);

  async function startScripted(ends: readonly ((response: ServerResponse) => void)[], maxRetries: number) {
    let calls = 0;
    const upstream = await startUpstream((_request, response) => (ends[calls++] ?? lost)(response));
    const modelKeys = { onUnknownOutcome: 'retry', maxRetries };
    const rig = await startPaidOnce({ origin: upstream.origin, modelKeys });
    return { rig, calls: () => calls };
  }

  test.each([
    ['made', delivered, 200],
    ['lost again', lost, 502],
  ] as const)('lets the same key repeat it once, which is %s', async (_, end, status) => {
    const { rig, calls } = await startScripted([lost, end], 0);
    const first = await generate(rig.url, {}, keyed('k'));
    expect(first.json().error.code).toBe('upstream_outcome_unknown');
    const second = await generate(rig.url, {}, keyed('k'));
    expect([second.status, keyHeaders(second).replayed]).toEqual([status, null]);
    for (let replay = 0; replay < 2; replay += 1) expectReplay(second, await generate(rig.url, {}, keyed('k')));
    expect(calls()).toBe(2);
  });

  test('lets nothing repeat what the request itself has repeated', async () => {
    const { rig, calls } = await startScripted([lost, lost], 2);
    const first = await generate(rig.url, {}, keyed('k'));
    expect([first.status, calls()]).toEqual([502, 2]);
    expectReplay(first, await generate(rig.url, {}, keyed('k')));
    expect(calls()).toBe(2);
  });
});

describe('a response whose images are gone', () => {
  test.each(Object.entries(operations))('%s: is a 410, which buys nothing', async (_, call) => {
    const rig = await startPaidOnce();
    const images = join(rig.dataDir ?? '', 'images');
    const first = await call(rig.url, { n: 2 }, keyed('k'));
    const [file = ''] = await readdir(images);
    await rm(join(images, file));
    for (const members of [{ n: 2 }, { n: 2, stream: true }, { n: 2, response_format: 'url' }]) {
      const response = await call(rig.url, members, keyed('k'));
      expect([response.status, response.json().error.code]).toEqual([410, 'idempotency_result_gone']);
      expect(keyHeaders(response)).toEqual({ job: keyHeaders(first).job, replayed: 'true' });
      expect(response.headers.get('x-should-retry')).toBeNull();
    }
    const { received } = rig;
    const other = await call(rig.url, { n: 2 }, keyed('k2'));
    expect([other.status, (await imagesIn(other)).length]).toEqual([200, 2]);
    expect(rig.received).toBeGreaterThan(received);
  });
});
