import { describe, expect, test } from 'vitest';
import type { ModelConfig } from '../../src/config/models-config.ts';
import { targetIdentity } from '../../src/config/target-identity.ts';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { TargetHealth } from '../../src/targets/target-health.ts';
import { TargetHealths } from '../../src/targets/target-healths.ts';
import { defaultTimes } from '../../src/targets/times.ts';
import { agentTarget, deploymentTarget, entra, v1Target } from '../config/example-models.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { fail } from './call-target.ts';

const never = new AbortController().signal;
const useless = new GatewayError('upstream_auth_failed', 'no', { outcome: 'not-processed', isTargetWide: true });
const limited = new GatewayError('upstream_rate_limited', 'no', { outcome: 'not-processed', retryAfterMs: 60_000 });

type Entry = Record<string, unknown>;

const modelsOf = (models: Record<string, Entry | Entry[]>): readonly ModelConfig[] => {
  const entries = Object.entries(models).map(([name, entry]) => [
    name,
    Array.isArray(entry) ? { targets: entry } : entry,
  ]);
  return parseModels(JSON.stringify({ models: Object.fromEntries(entries) }), {}).models;
};

/** Puts a configuration in force; gives the healths of its targets, in their order. */
function adopt(healths: TargetHealths, models: Record<string, Entry | Entry[]>): TargetHealth[] {
  const config = modelsOf(models);
  const identities = config.flatMap(({ name, targets }) => targets.map((target) => targetIdentity(name, target)));
  const next = healths.next(identities, defaultTimes);
  next.adopt();
  return [...next.healths];
}

/** A target with an open breaker, a cool-down and one call under way, and what of that it has after another one came in its place. */
async function handedOn(before: Entry, after: Entry) {
  const healths = new TargetHealths();
  const [old] = adopt(healths, { image: before });
  await fail(old as TargetHealth, useless);
  await fail(old as TargetHealth, limited);
  await old?.permits.acquire(never);
  const [next] = adopt(healths, { image: after });
  return {
    breaker: next?.breakerState,
    coolDown: next?.coolDownAt(performance.now())?.error,
    taken: next?.permits.taken,
  };
}

const allOfIt = { breaker: 'open', coolDown: limited, taken: 1 };
const permitsOnly = { breaker: 'closed', coolDown: undefined, taken: 1 };
const nothing = { breaker: 'closed', coolDown: undefined, taken: 0 };
const keyless = ({ apiKey: _key, ...target }: Entry, scope: string) => ({ ...target, auth: { entra: { scope } } });

describe('a target', () => {
  test.each<[string, Entry, Entry]>([
    ['at all', deploymentTarget, {}],
    ['at all, of an agent', agentTarget, {}],
    ['but its name', deploymentTarget, { name: 'east' }],
    ['but its share', deploymentTarget, { priority: 3, weight: 7 }],
    ['but its permits', deploymentTarget, { maxConcurrent: 4 }],
    ['but its price', deploymentTarget, { price: { images: [{ price: 1 }] } }],
    ['but the model’s own keys', deploymentTarget, { timeoutMs: 5_000, defaults: { size: '1024x1024' } }],
    ['but how its address is written', deploymentTarget, { baseURL: `${deploymentTarget.baseURL}/` }],
  ])('of which nothing changes %s keeps everything', async (_, target, change) => {
    expect(await handedOn(target, { ...target, ...change })).toEqual(allOfIt);
  });

  test.each<[string, Entry, Entry]>([
    ['key', deploymentTarget, { apiKey: 'other-key' }],
    ['further header', deploymentTarget, { headers: { 'x-front-door': 'one' } }],
    ['value of a further header', { ...agentTarget, headers: { 'x-a': 'one' } }, { headers: { 'x-a': 'two' } }],
    ['api-version', deploymentTarget, { apiVersion: '2025-05-01' }],
    ['family', deploymentTarget, { model: 'gpt-image-1' }],
    ['capabilities', deploymentTarget, { capabilities: { maxCount: 2 } }],
    ['stream', deploymentTarget, { upstreamStream: 'always' }],
    ['agent', agentTarget, { agent: 'other' }],
  ])('with another %s has a clean record, but its calls under way count', async (_, target, change) => {
    expect(await handedOn(target, { ...target, ...change })).toEqual(permitsOnly);
  });

  test('with tokens in place of its key, or of another scope, has a clean record, and with the same ones all of it', async () => {
    const [ai, cognitive] = [entra.entra.scope, 'https://cognitiveservices.azure.com/.default'];
    expect(await handedOn(agentTarget, keyless(agentTarget, ai))).toEqual(permitsOnly);
    expect(await handedOn(keyless(agentTarget, ai), keyless(agentTarget, cognitive))).toEqual(permitsOnly);
    expect(await handedOn(keyless(agentTarget, ai), keyless(agentTarget, ai))).toEqual(allOfIt);
  });

  test.each<[string, Entry, Entry]>([
    ['resource', deploymentTarget, { baseURL: 'https://west.example.com/openai/deployments/images' }],
    ['deployment', deploymentTarget, { baseURL: 'https://east.example.com/openai/deployments/other' }],
    ['deployment, of v1', v1Target, { deployment: 'other' }],
    ['deployment, of an agent', agentTarget, { imageDeployment: 'other' }],
  ])('at another %s is a new one', async (_, target, change) => {
    expect(await handedOn(target, { ...target, ...change })).toEqual(nothing);
  });

  test('is found wherever it stands among others, and belongs to its own model', () => {
    const healths = new TargetHealths();
    const west = { ...deploymentTarget, baseURL: 'https://west.example.com/openai/deployments/images' };
    const [east, other] = adopt(healths, { image: deploymentTarget, poster: deploymentTarget });
    const [second, first, mine] = adopt(healths, { poster: [west, deploymentTarget], image: deploymentTarget });
    expect([first === other, mine === east, second === other]).toEqual([true, true, false]);
  });

  test('twice in one model: each has its own record, also when the other one changes', () => {
    const healths = new TargetHealths();
    const spare = { ...deploymentTarget, name: 'spare', apiVersion: '2025-05-01', priority: 1 };
    const [one, two] = adopt(healths, { image: [deploymentTarget, spare] });
    const [changed, same] = adopt(healths, { image: [{ ...deploymentTarget, apiKey: 'new' }, spare] });
    expect([same === two, changed === one, changed?.permits === one?.permits]).toEqual([true, false, true]);
    expect(new Set([one?.permits, two?.permits]).size).toBe(2);
  });

  test('that is gone for a moment finds the calls that still run when it comes back, but no others', async () => {
    const healths = new TargetHealths();
    const [busy, idle] = adopt(healths, { image: deploymentTarget, poster: deploymentTarget });
    await busy?.permits.acquire(never);
    adopt(healths, { other: v1Target });
    adopt(healths, { other: v1Target });
    const [again, anew] = adopt(healths, { image: deploymentTarget, poster: deploymentTarget });
    expect([again === busy, anew === idle]).toEqual([true, false]);
  });
});

describe('another limit of calls', () => {
  test('holds when it is adopted, not before, and for those who wait already', async () => {
    const healths = new TargetHealths();
    const [health] = adopt(healths, { image: { ...deploymentTarget, maxConcurrent: 1 } });
    await health?.permits.acquire(never);
    const waiting = health?.permits.acquire(never);
    const config = modelsOf({ image: { ...deploymentTarget, maxConcurrent: 2 } });
    const identities = config.flatMap(({ name, targets }) => targets.map((target) => targetIdentity(name, target)));
    const next = healths.next(identities, defaultTimes);
    expect([health?.permits.taken, health?.permits.waiting]).toEqual([1, 1]);
    next.adopt();
    await waiting;
    expect([health?.permits.taken, health?.permits.waiting, health?.permits.isFull]).toEqual([2, 0, true]);
    adopt(healths, { image: { ...deploymentTarget, apiKey: 'new', maxConcurrent: 1 } });
    expect([health?.permits.taken, health?.permits.isFull]).toEqual([2, true]);
    adopt(healths, { image: deploymentTarget });
    expect(health?.permits.isFull).toBe(false);
  });
});
