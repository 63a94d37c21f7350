import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { startUpstream, tinyPng } from './rig.ts';

const body = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });
const gone = JSON.stringify({ error: { code: 'DeploymentNotFound', message: 'The deployment does not exist.' } });

const failure = JSON.stringify({ error: { code: 'InternalServerError', message: 'no' } });

type Change = Record<string, unknown>;

/** A gateway whose model `image` has these targets, at a time that the test says. */
async function start(...changes: readonly Change[]) {
  const clock = { now: Date.parse('2026-12-10T00:00:00Z') };
  const retired = new Set<string>();
  const failing = new Set<string>();
  const upstream = await startUpstream((request, response) => {
    const name = /deployments\/(\w+)\//.exec(request.url ?? '')?.[1] ?? '';
    if (failing.has(name)) response.writeHead(500).end(failure);
    else response.writeHead(retired.has(name) ? 404 : 200).end(retired.has(name) ? gone : body);
  });
  const targets = changes.map((change) => ({
    ...{ provider: 'azure-deployment', model: 'gpt-image-2', apiVersion: '2025-04-01-preview', apiKey: 'key' },
    ...{ baseURL: `${upstream.origin}/openai/deployments/${change.name}`, ...change },
  }));
  const callers = { admin: { role: 'admin', keys: [{ key: gatewayKey }] } };
  const models = { defaultModel: 'image', models: { image: { targets } } };
  const gateway = await startGateway(models, { now: () => clock.now, keys: [], callers, times: { lingerMs: 1 } });
  let count = 0;
  const call = () => {
    count += 1;
    return callGateway(gateway.url, { prompt: `a cat ${count}` });
  };
  const get = async (path: string) => {
    const response = await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${gatewayKey}` } });
    return path === '/metrics' ? response.text() : response.json();
  };
  const targetAt = async (time: string) => {
    clock.now = Date.parse(time);
    return (await call()).headers.get('x-gateway-target');
  };
  return { gateway, call, get, targetAt, retired, failing };
}

const old = { name: 'old', model: 'gpt-image-1.5', priority: 0 };
const spare = { name: 'spare', priority: 1 };

test('a target whose model is retired is tried last from that day on, without a restart', async () => {
  const { targetAt } = await start(old, spare);
  expect(await targetAt('2026-12-15T23:59:59Z')).toBe('old');
  expect(await targetAt('2026-12-16T00:00:01Z')).toBe('spare');
});

test('it is tried when nothing else is left', async () => {
  const { targetAt, retired } = await start(old, spare);
  retired.add('spare');
  expect(await targetAt('2026-12-20T00:00:00Z')).toBe('old');
});

test('it is tried, too, when the others fail in a way that may pass', async () => {
  const { targetAt, failing } = await start(old, spare);
  failing.add('spare');
  expect(await targetAt('2026-12-20T00:00:00Z')).toBe('old');
});

test('a chain of replacements ends at the last one, at the place of the first', async () => {
  const { targetAt } = await start(
    { ...old, retires: 'never', replacedBy: { target: 'spare', from: '2026-12-11' } },
    { ...spare, priority: 5, replacedBy: { target: 'last', from: '2026-12-12' } },
    { name: 'between', priority: 3 },
    { name: 'last', priority: 9 },
  );
  expect(await targetAt('2026-12-11T12:00:00Z')).toBe('spare');
  expect(await targetAt('2026-12-12T12:00:00Z')).toBe('last');
});

test('the operator’s date counts instead of the known one', async () => {
  const { targetAt } = await start({ ...old, retires: '2027-06-01' }, spare);
  expect(await targetAt('2027-05-31T12:00:00Z')).toBe('old');
  expect(await targetAt('2027-06-01T12:00:00Z')).toBe('spare');
});

test('a target is replaced on a day by one that was a spare before, at its priority', async () => {
  const { targetAt } = await start(
    { ...old, retires: 'never', replacedBy: { target: 'spare', from: '2026-12-12' } },
    { name: 'between', priority: 1 },
    { ...spare, priority: 5 },
  );
  expect(await targetAt('2026-12-11T12:00:00Z')).toBe('old');
  expect(await targetAt('2026-12-12T00:00:00Z')).toBe('spare');
});

describe('a model whose only target is retired', () => {
  test('is still tried, and the failure says why', async () => {
    const { gateway, targetAt, call, retired } = await start(old);
    expect(await targetAt('2026-12-20T00:00:00Z')).toBe('old');
    retired.add('old');
    const response = await call();
    const { error } = (await response.json()) as { error: { message: string; code: string } };
    expect([response.status, error.code]).toEqual([502, 'upstream_misconfigured']);
    expect(error.message).toContain('Its model was retired on 2026-12-16.');
    const line = gateway.log.findLast(({ msg }) => msg === 'generation');
    expect(line).toMatchObject({
      error: { hint: 'the model was retired on 2026-12-16: deploy gpt-image-2 instead' },
    });
  });

  test('does not blame the date for what it has nothing to do with', async () => {
    const { gateway, targetAt, call, failing } = await start(old);
    await targetAt('2026-12-20T00:00:00Z');
    failing.add('old');
    expect((await call()).text).not.toContain('retired');
    expect(gateway.logText()).not.toContain('was retired');
  });

  test('does not blame the date before it has come', async () => {
    const { call, retired } = await start(old);
    retired.add('old');
    const { error } = (await (await call()).json()) as { error: { message: string } };
    expect(error.message).not.toContain('retired');
  });
});

test('clients, administrators and metrics see the dates', async () => {
  const { get, targetAt } = await start(old, spare);
  await targetAt('2026-12-20T00:00:00Z');
  expect(await get('/v1/models/image')).toMatchObject({ id: 'image', shutdown_date: '2027-10-21' });
  expect(await get('/v1/models')).toMatchObject({ data: [{ shutdown_date: '2027-10-21' }] });
  expect(await get('/v1/targets')).toMatchObject({
    data: [
      { target: 'old', retires_on: '2026-12-16', successor: 'gpt-image-2', tried_last: true },
      { target: 'spare', retires_on: '2027-10-21', successor: null, tried_last: false },
    ],
  });
  expect(await get('/metrics')).toContain(
    'gateway_target_retirement_timestamp_seconds{model="image",target="old"} 1797379200',
  );
});

test('a model with a target that has no date has none itself', async () => {
  const { get } = await start(old, { ...spare, retires: 'never' });
  expect(await get('/v1/models/image')).toMatchObject({ shutdown_date: null });
  expect(await get('/metrics')).not.toContain('target="spare"} 1');
});
