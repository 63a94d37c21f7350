import { describe, expect, test } from 'vitest';
import { type ScenarioDescription, scenarios } from '../../simulator/scenarios.ts';
import { type AgentRig, startAgents } from '../end-to-end/agent-rig.ts';
import { billedFor, isCalled, outcome, streamedOutcome } from '../end-to-end/outcomes.ts';
import { startUpstream, tinyPng } from '../end-to-end/rig.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { eventText } from '../helpers/event-text.ts';

const good = '200, 1 of 1';
const unknown = '502 upstream_outcome_unknown, false';
const failed = '502 upstream_generation_failed, false';
const lost = '502 upstream_invalid_response, false';
const words = '502 upstream_no_image, false';
const misconfigured = '502 upstream_misconfigured, false';
const filtered = '400 content_policy_violation';
const blocked = '400 moderation_blocked';
const brokenBody = /^(truncated|502 upstream_outcome_unknown, false)$/;

/** How a response without an image ends, in whichever way it is requested. */
const endings: Record<string, string> = {
  'agent-text-only': words,
  'agent-refusal': filtered,
  'agent-failed': failed,
  'agent-failed-rate-limit': '429 rate_limit_exceeded',
  'agent-failed-policy': filtered,
  'agent-failed-image': '400 invalid_image_file',
  'agent-call-failed': blocked,
  'agent-incomplete': failed,
  'agent-incomplete-filter': filtered,
  'agent-cancelled': unknown,
};

const asJson: Record<string, string | RegExp> = {
  ...endings,
  none: good,
  'slow-20': good,
  'text-plain': good,
  'octet-stream': good,
  escaped: good,
  'extra-fields': good,
  'no-created': good,
  'big-8': good,
  'agent-two-images': '200, 2 of 1',
  'agent-huge-prompt': good,
  'agent-huge-echo': good,
  'agent-late-members': good,
  'agent-error-details': good,
  'agent-opaque': misconfigured,
  'agent-in-progress': lost,
  'html-200': lost,
  'empty-data': lost,
  'not-an-image': lost,
  'filter-item': filtered,
  'filter-200-task': filtered,
  'moderation-blocked': blocked,
  '404-deployment': misconfigured,
  '500': failed,
  '500-html': unknown,
  '429-seconds-1': '429 rate_limit_exceeded, 1000',
  'truncated-length': brokenBody,
  'truncated-close': brokenBody,
  reset: brokenBody,
  'reset-before-headers': unknown,
};

const inBackground: Record<string, string> = {
  ...endings,
  none: good,
  'agent-two-images': '200, 2 of 1',
  'agent-poll-500': good,
  'agent-lost': unknown,
  'big-8': good,
};

const allEvents = 'partial 0, partial 1, completed';
const cutStream = 'partial 0, error upstream_outcome_unknown';
const brokenStream = /^(502 upstream_outcome_unknown, false|(partial \d, )*error upstream_outcome_unknown)$/;

const asStream: Record<string, string | RegExp> = {
  none: allEvents,
  'agent-text-only': words,
  'agent-failed': failed,
  'agent-failed-policy': filtered,
  'agent-incomplete-filter': filtered,
  'agent-completed-only': allEvents,
  'agent-late-members': allEvents,
  'agent-huge-echo': allEvents,
  'agent-two-images': /^partial 0, partial 1, completed, completed$/,
  'stream-error-nested': blocked,
  'stream-error-flat': blocked,
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

const ofAgents = (scenarios as readonly ScenarioDescription[]).filter(({ reach }) => reach === 'agent');

/** One call bought what the scenario is billed for, and no more. */
function expectBilledOnce({ requests, simulator }: AgentRig, scenario: string): void {
  expect(requests('POST')).toHaveLength(1);
  expect([scenario, simulator.ledger.counts().billedByScenario[scenario] ?? 0]).toEqual([
    scenario,
    billedFor(scenario),
  ]);
}

test('every scenario of agents is expected here', () => {
  const covered = [asJson, inBackground, asStream].flatMap(Object.keys).concat('agent-stuck');
  expect(ofAgents.filter(({ name }) => !covered.some((spelled) => isCalled(spelled, name)))).toEqual([]);
});

describe('an agent', () => {
  test.each(Object.entries(asJson))('%s: the caller gets %s', async (name, expected) => {
    const rig = await startAgents();
    expect(await outcome(rig.url, { prompt: `simulate:${name}` })).toMatch(expected);
    expectBilledOnce(rig, name);
    expect(rig.gateway.app.gateway.inFlight).toBe(0);
  });

  test.each(Object.entries(inBackground))('in the background, %s: the caller gets %s', async (name, expected) => {
    // A lost job is requested until the deadline.
    const rig = await startAgents(name === 'agent-lost' ? { timeoutMs: 2_000 } : {});
    expect(await outcome(rig.url, { model: 'later', prompt: `simulate:${name}` })).toBe(expected);
    expectBilledOnce(rig, name);
    expect(rig.simulator.ledger.counts().cancelled).toBe(0);
  });

  test.each(Object.entries(asStream))('as a stream, %s: the caller gets %s', async (name, expected) => {
    const rig = await startAgents();
    expect(await streamedOutcome(rig.url, { model: 'live', prompt: `simulate:${name}` })).toMatch(
      typeof expected === 'string' ? new RegExp(`^${expected}$`) : expected,
    );
    expectBilledOnce(rig, name);
  });

  test.each([
    ['words instead of an image', 'agent-text-only', words],
    ['a refusal', 'agent-refusal', filtered],
    ['a response that a limit has cut', 'agent-incomplete', failed],
    ['a response that was cancelled by nobody here', 'agent-cancelled', unknown],
  ])('%s: bought once, however many retries there are', async (_name, scenario, expected) => {
    const rig = await startAgents({ targetKeys: { maxRetries: 2 } });
    expect(await outcome(rig.url, { prompt: `simulate:${scenario}` })).toBe(expected);
    expect(rig.requests('POST')).toHaveLength(1);
  });

  test('a failure that the response itself reports is repeated', async () => {
    const rig = await startAgents({ targetKeys: { maxRetries: 1 } });
    expect(await outcome(rig.url, { prompt: 'simulate:agent-failed' })).toBe(failed);
    expect(rig.requests('POST')).toHaveLength(2);
  });

  test('a prompt that the chat model rewrites at great length is left out and counted', async () => {
    const { url } = await startAgents();
    const { json } = await callGateway(url, { prompt: 'simulate:agent-huge-prompt-200' });
    expect(json().data[0]?.revised_prompt).toBeUndefined();
    expect(json().usage).toBeUndefined();
    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer gateway-key-canary' } });
    expect(await metrics.text()).toContain('gateway_upstream_anomalies_total{kind="value_dropped"} 1');
  });
});

test('a stream that falls silent behind its image does not hold it back until the deadline', async () => {
  const item = { id: 'ig_1', type: 'image_generation_call', status: 'completed', result: tinyPng };
  const upstream = await startUpstream((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(eventText('response.output_item.done', { item }));
  });
  const rig = await startAgents({ targetKeys: { baseURL: upstream.origin } });
  expect(await streamedOutcome(rig.url, { model: 'live', prompt: 'a cat' })).toBe('completed');
  await expect.poll(() => upstream.connections).toBe(0);
  expect(rig.gateway.app.gateway.inFlight).toBe(0);
});

describe('a job in the background', () => {
  const stuck = { model: 'later', prompt: 'simulate:agent-stuck' };

  test('is canceled when the deadline ends it: 504, not to be repeated', async () => {
    const rig = await startAgents({ timeoutMs: 1_200 });
    expect(await outcome(rig.url, stuck)).toBe('504 upstream_outcome_unknown, false');
    await expect.poll(() => rig.simulator.ledger.counts().cancelled).toBe(1);
    expectBilledOnce(rig, 'agent-stuck');
  });

  test('is canceled when its client disconnects', async () => {
    const rig = await startAgents();
    const disconnecting = new AbortController();
    const call = fetch(`${rig.url}/v1/images/generations`, {
      method: 'POST',
      headers: { authorization: 'Bearer gateway-key-canary', 'content-type': 'application/json' },
      body: JSON.stringify(stuck),
      signal: disconnecting.signal,
    }).catch(() => 'disconnected');
    await expect.poll(() => rig.requests('GET').length).toBeGreaterThan(0);
    disconnecting.abort();
    expect(await call).toBe('disconnected');
    await expect.poll(() => rig.simulator.ledger.counts().cancelled).toBe(1);
  });

  test('is canceled when the gateway is shut down', async () => {
    const rig = await startAgents();
    const call = outcome(rig.url, stuck);
    await expect.poll(() => rig.requests('GET').length).toBeGreaterThan(0);
    rig.gateway.app.gateway.cancelAll();
    expect(await call).toBe(unknown);
    await rig.gateway.app.server.close();
    expect(rig.simulator.ledger.counts().cancelled).toBe(1);
  });

  test('whose first call of the tool failed is waited for: the chat model may call it again', async () => {
    const call = { id: 'ig_1', type: 'image_generation_call' };
    const failedCall = { ...call, status: 'failed', result: null, error: { code: 'server_error', message: 'no' } };
    const states = [
      { status: 'queued', output: [] },
      { status: 'in_progress', output: [failedCall] },
      { status: 'completed', output: [failedCall, { ...call, id: 'ig_2', result: tinyPng }] },
    ];
    const methods: (string | undefined)[] = [];
    const upstream = await startUpstream((request, response) => {
      methods.push(request.method);
      response.end(JSON.stringify({ id: 'resp_1', ...states[methods.length - 1] }));
    });
    const { url } = await startAgents({ targetKeys: { baseURL: upstream.origin, maxRetries: 2 } });
    expect(await outcome(url, { model: 'later', prompt: 'a cat' })).toBe(good);
    expect(methods).toEqual(['POST', 'GET', 'GET']);
  });

  test('runs on while it lingers, and its caller’s retry gets its image', async () => {
    const rig = await startAgents({ limits: { lingerMs: 10_000 }, operationMs: 1_500 });
    const body = { model: 'later', prompt: 'a patient cat' };
    const disconnecting = new AbortController();
    const call = fetch(`${rig.url}/v1/images/generations`, {
      method: 'POST',
      headers: { authorization: 'Bearer gateway-key-canary', 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: disconnecting.signal,
    }).catch(() => 'disconnected');
    await expect.poll(() => rig.requests('GET').length).toBeGreaterThan(0);
    disconnecting.abort();
    await call;
    expect(await outcome(rig.url, body)).toBe(good);
    expect(rig.requests('POST')).toHaveLength(1);
    expect(rig.simulator.ledger.counts().cancelled).toBe(0);
  });
});
