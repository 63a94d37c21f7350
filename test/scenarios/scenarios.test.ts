import type { ServerResponse } from 'node:http';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { type ScenarioDescription, scenarios } from '../../simulator/scenarios.ts';
import { billedFor, isCalled, outcome, streamedOutcome } from '../end-to-end/outcomes.ts';
import {
  generationsPath,
  modelsFile,
  openSocket,
  type Rig,
  rawCall,
  startRig,
  startUpstream,
  tinyPng,
} from '../end-to-end/rig.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';

const unknown = '502 upstream_outcome_unknown, false';
const timedOut = '504 upstream_outcome_unknown, false';
const failed = '502 upstream_generation_failed, false';
const lost = '502 upstream_invalid_response, false';
const unavailable = '502 upstream_result_unavailable, false';
const misconfigured = '502 upstream_misconfigured, false';
const filtered = '400 content_policy_violation';
// The gateway repeats nothing here, so the caller's client may: see startRig.
const limited = '429 rate_limit_exceeded';
const good = '200, 1 of 1';
/** The upstream's connection breaks amid a small image: its beginning may be on its way to the caller already. */
const brokenBody = /^(truncated|502 upstream_outcome_unknown, false)$/;

const everywhere: Record<string, string> = {
  none: good,
  'slow-20': good,
  'slow-body-20': good,
  'text-plain': good,
  'octet-stream': good,
  escaped: good,
  'extra-fields': good,
  'big-12': good,
  '429-ms-170': `${limited}, 170`,
  '429-seconds-1': `${limited}, 1000`,
  '429-text': `${limited}, 38000`,
  '429-flat': `${limited}, 38000`,
  '429-seconds-3600': `${limited}, false, 3600000`,
  '429-none': limited,
  '429-quota': '429 insufficient_quota, false',
  '503-busy-1': '503 upstream_unavailable, 1000',
  '500': failed,
  '500-html': unknown,
  '502-html': unknown,
  '503': failed,
  '504': timedOut,
  '408': timedOut,
  '409': unknown,
  '403-blocked': '503 upstream_unavailable, false',
  '403': '502 upstream_auth_failed, false',
  '404-deployment': misconfigured,
  '404-resource': misconfigured,
  redirect: misconfigured,
  'unknown-parameter': '400 unknown_parameter',
  'invalid-size': '400 invalid_value',
  'filter-policy': filtered,
  'filter-inner': filtered,
  'filter-200-task': filtered,
  'filter-200-image': filtered,
  'moderation-blocked': '400 moderation_blocked',
  'error-in-200': failed,
  'reset-before-headers': unknown,
};

const synchronous: Record<string, string | RegExp> = {
  ...everywhere,
  'html-200': lost,
  'empty-data': lost,
  'not-an-image': lost,
  'filter-item': filtered,
  'no-created': good,
  'url-item': good,
  'truncated-length': brokenBody,
  'truncated-chunked': brokenBody,
  'truncated-close': brokenBody,
  reset: brokenBody,
};

const legacy: Record<string, string> = {
  ...everywhere,
  // Everything that is needed stands in the submit's headers; its body may break.
  'html-200': lost,
  'truncated-length': good,
  'truncated-chunked': good,
  'truncated-close': good,
  reset: good,
  'not-an-image': unavailable,
  'operation-failed': failed,
  'operation-filtered': filtered,
  'operation-item-filtered': filtered,
  'operation-canceled': failed,
  'operation-deleted': lost,
  'operation-unknown-status': lost,
  'operation-404': good,
  'operation-lost': unknown,
  'operation-no-header': lost,
  'operation-foreign-host': good,
  'operation-outside': lost,
  'operation-relative': good,
  'operation-poll-429': good,
  'operation-poll-500': good,
  'operation-retry-after': good,
  'operation-top-level-data': good,
  'operation-empty': lost,
  'operation-redirect': unknown,
  'operation-big': lost,
  'download-403': unavailable,
  'download-404': unavailable,
  'download-500-once': good,
  'download-html': unavailable,
  'download-redirect': unavailable,
  'download-gzip': unavailable,
  'download-not-an-image': unavailable,
  'download-foreign': unavailable,
};

const allEvents = 'partial 0, partial 1, completed';
const cutStream = 'partial 0, error upstream_outcome_unknown';
/** Wherever the break is: no stream ends without saying that something is missing. */
const brokenStream = /^(502 upstream_outcome_unknown, false|(partial \d, )*error upstream_outcome_unknown)$/;

/** What a caller gets who wants a stream with two partial images. */
const streamed: Record<string, string | RegExp> = {
  ...Object.fromEntries(Object.entries(everywhere).map(([name, end]) => [name, end === good ? allEvents : end])),
  'html-200': lost,
  'not-an-image': lost,
  'empty-data': 'partial 0, partial 1, error upstream_invalid_response',
  'filter-item': 'partial 0, partial 1, error content_policy_violation',
  'url-item': allEvents,
  'no-created': allEvents,
  'truncated-length': brokenStream,
  'truncated-chunked': brokenStream,
  'truncated-close': brokenStream,
  reset: brokenStream,
  'stream-error-nested': '400 moderation_blocked',
  'stream-error-flat': '400 moderation_blocked',
  'stream-error-late': 'partial 0, error moderation_blocked',
  'stream-cut': cutStream,
  'stream-reset': brokenStream,
  'stream-json': 'completed',
  'stream-crlf': allEvents,
  'stream-cr': allEvents,
  'stream-comments': allEvents,
  'stream-bom': allEvents,
  'stream-no-event-names': allEvents,
  'stream-split': allEvents,
  'stream-done': allEvents,
  'stream-double': allEvents,
  'stream-unordered': 'partial 1, partial 0, completed',
  'stream-big-12': allEvents,
  'stream-unknown-events': allEvents,
  'stream-late-members': allEvents,
};

/** Streams that only the deadline ends. */
const silentStreams = ['stream-stall', 'stream-stall-comments'];

/** Scenarios of edits only, which no generation can play. */
const ofEdits = ['unsupported-content-type', 'unsupported-content-type-once'];

/** Scenarios that never end by themselves, and those whose end is not the same every time. */
const elsewhere = [...silentStreams, ...ofEdits, 'hang', 'operation-never', '429-date', 'download-truncated'];

async function billedOnce(rig: Rig, scenario: string): Promise<void> {
  expect(rig.paidPosts(`simulate:${scenario}`)).toHaveLength(1);
  const { billedByScenario } = rig.simulator.ledger.counts();
  expect([scenario, billedByScenario[scenario] ?? 0]).toEqual([scenario, billedFor(scenario)]);
}

test('every scenario of the simulator is expected here, but for those of agents', () => {
  const covered = [synchronous, legacy, streamed].flatMap(Object.keys).concat(elsewhere);
  const others = (scenarios as readonly ScenarioDescription[]).filter(({ reach }) => reach !== 'agent');
  expect(others.filter(({ name }) => !covered.some((spelled) => isCalled(spelled, name)))).toEqual([]);
});

describe('the synchronous flow', () => {
  test.each(Object.entries(synchronous))(
    '%s: the caller gets %s, and the next one an image, or the same wait',
    async (name, expected) => {
      const rig = await startRig();
      expect(await outcome(rig.url, { prompt: `simulate:${name}` })).toMatch(expected);
      await billedOnce(rig, name);
      expect(await outcome(rig.url, { prompt: 'a cat' })).toMatch(isCoolingDown(expected) ? /^(429|503) / : good);
    },
  );

  test('a date to wait for is reported in milliseconds', async () => {
    const { url } = await startRig();
    expect(await outcome(url, { prompt: 'simulate:429-date-7' })).toMatch(/^429 rate_limit_exceeded, [67]000$/);
  });

  test('a silent upstream ends with the deadline: 504, not to be repeated', async () => {
    const rig = await startRig({ timeoutMs: 1_000 });
    expect(await outcome(rig.url, { prompt: 'simulate:hang' })).toBe(timedOut);
    expect(rig.app.gateway.inFlight).toBe(0);
  });

  test('the same responses come from the v1 address', async () => {
    const rig = await startRig();
    for (const name of ['none', '500', '500-html', 'filter-inner', 'html-200', 'redirect', '429-text']) {
      expect([name, await outcome(rig.url, { model: 'studio/poster', prompt: `simulate:${name}` })]).toEqual([
        name,
        synchronous[name],
      ]);
    }
  });
});

/** Whether the target has requested a wait that is too long for the next request, too. */
function isCoolingDown(reported: string | RegExp): boolean {
  const [, ms = 0] = /, (\d+)$/.exec(String(reported)) ?? [];
  return Number(ms) > 30_000;
}

describe('the synchronous flow as a stream', () => {
  test.each(Object.entries(streamed))(
    '%s: the caller gets %s, and the next one an image, or the same wait',
    async (name, expected) => {
      const rig = await startRig();
      expect(await streamedOutcome(rig.url, { prompt: `simulate:${name}` })).toEqual(
        typeof expected === 'string' ? expected : expect.stringMatching(expected),
      );
      await billedOnce(rig, name);
      expect(await outcome(rig.url, { prompt: 'a cat' })).toMatch(isCoolingDown(expected) ? /^(429|503) / : good);
      expect(rig.app.gateway.inFlight).toBe(0);
    },
  );

  test.each(silentStreams)('%s: the deadline ends it with an error event after one partial image', async (name) => {
    const rig = await startRig({ timeoutMs: 1_500 });
    expect(await streamedOutcome(rig.url, { prompt: `simulate:${name}` })).toBe(cutStream);
    expect(rig.app.gateway.inFlight).toBe(0);
    await billedOnce(rig, name);
  });

  test.each([...silentStreams, 'hang'])(
    '%s without partial images: 504 at the deadline, not to be repeated',
    async (name) => {
      const rig = await startRig({ timeoutMs: 1_000 });
      expect(await streamedOutcome(rig.url, { prompt: `simulate:${name}`, partial_images: 0 })).toBe(timedOut);
      await billedOnce(rig, name);
    },
  );

  test.each([
    ['stream-error-late', '400 moderation_blocked'],
    ['stream-cut', lost],
    ['stream-reset', unknown],
  ])('%s without partial images: an ordinary error, %s', async (name, expected) => {
    const rig = await startRig();
    expect(await streamedOutcome(rig.url, { prompt: `simulate:${name}`, partial_images: 0 })).toBe(expected);
    await billedOnce(rig, name);
  });

  test('an operation that never ends is given up at the deadline: 504, not to be repeated', async () => {
    const rig = await startRig({ timeoutMs: 1_000 });
    expect(await outcome(rig.url, { model: 'dall-e-2', prompt: 'simulate:operation-never' })).toBe(timedOut);
    expect(rig.app.gateway.inFlight).toBe(0);
  });

  test('a cut download is truncated, or an error when nothing was sent yet', async () => {
    const rig = await startRig({ timeoutMs: 2_000 });
    const request = { model: 'dall-e-2', prompt: 'simulate:download-truncated', response_format: 'b64_json' };
    expect(await outcome(rig.url, request)).toMatch(/^(truncated|502 upstream_result_unavailable, false)$/);
    expect(rig.paidPosts()).toHaveLength(1);
  });
});

describe('a big image whose upstream fails after the caller has its first bytes', () => {
  const half = Buffer.from(`{"created":1,"data":[{"b64_json":"${tinyPng.slice(0, 88)}${'AAAA'.repeat(256 * 1024)}`);
  const length = { 'content-length': 2 * half.length };
  type Ending = (response: ServerResponse) => void;
  const endings: [string, Record<string, string | number>, Ending][] = [
    ['a body shorter than its content-length', length, ({ socket }) => void socket?.end()],
    ['a chunked body without its last chunk', {}, ({ socket }) => void socket?.end()],
    ['a body that only its connection ends', { connection: 'close' }, ({ socket }) => void socket?.end()],
    ['a reset', length, ({ socket }) => void socket?.resetAndDestroy()],
    ['bytes that are no JSON', {}, (response) => void response.end('"} hello')],
    [
      'an error beside the image',
      {},
      (response) => void response.end('"}],"error":{"code":"contentFilter","message":"no"}}'),
    ],
  ];

  test.each(endings)('%s: the transfer is truncated, and the next request works', async (_, headers, breakOff) => {
    const seen = Promise.withResolvers<void>();
    let calls = 0;
    const upstream = await startUpstream(async (_request, response) => {
      calls += 1;
      if (calls > 1) {
        response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] }));
        return;
      }
      // Without framing of its own, the end of the connection is the end of this body.
      if (headers.connection === 'close') response.useChunkedEncodingByDefault = false;
      response.writeHead(200, headers).write(half);
      await seen.promise;
      breakOff(response);
    });
    const gateway = await startGateway(modelsFile(upstream.origin));
    const { statusCode, body } = await request(`${gateway.url}${generationsPath}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gatewayKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'a cat' }),
    });
    expect(statusCode).toBe(200);
    const transfer = (async () => {
      for await (const _chunk of body) seen.resolve();
    })();
    await expect(transfer).rejects.toThrow();
    await expect.poll(() => gateway.log.some(({ end }) => end === 'truncated')).toBe(true);
    expect(gateway.app.gateway.inFlight).toBe(0);
    expect(await outcome(gateway.url, { prompt: 'a cat' })).toBe(good);
    expect(upstream.received).toBe(2);
  });
});

test('an HTTP/1.0 caller, whose response only the connection delimits, sees a truncated image as a reset, not as an end', async () => {
  const seen = Promise.withResolvers<void>();
  const upstream = await startUpstream(async (_request, response) => {
    response.write(`{"created":1,"data":[{"b64_json":"${tinyPng.slice(0, 88)}${'AAAA'.repeat(64 * 1024)}`);
    await seen.promise;
    response.socket?.end();
  });
  const { url } = await startGateway(modelsFile(upstream.origin));
  const socket = openSocket(url);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const ends: string[] = [];
  socket.on('end', () => {
    ends.push('end');
    socket.end();
  });
  socket.on('error', () => ends.push('reset'));
  socket.on('data', () => seen.resolve());
  socket.write(rawCall({ prompt: 'a cat' }).replace('HTTP/1.1', 'HTTP/1.0'));
  await closed;
  expect(ends).toEqual(['reset']);
});
