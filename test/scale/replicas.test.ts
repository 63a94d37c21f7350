import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'vitest';
import { consumerKey, type GatewayProcess } from '../crash/matrix/gateway-process.ts';
import { heldAfterSending, heldBeforeImage } from '../crash/matrix/modes.ts';
import { send } from '../crash/matrix/stage.ts';
import { useBundle } from '../crash/matrix/use-bundle.ts';
import { Replicas } from './replicas.ts';

const program = useBundle();

/** How long a lease is valid. */
const leaseMs = 8_000;

const headers = { 'api-key': consumerKey, 'content-type': 'application/json' };

async function post({ url }: GatewayProcess, path: string, body: object, more: Readonly<Record<string, string>> = {}) {
  return await fetch(`${url}${path}`, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) });
}

async function get({ url }: GatewayProcess, path: string) {
  return await fetch(`${url}${path}`, { headers });
}

async function json(gateway: GatewayProcess, path: string): Promise<Record<string, unknown>> {
  return (await (await get(gateway, path)).json()) as Record<string, unknown>;
}

test.concurrent('a request that runs on one replica is joined on another, and replayed on a third', async ({
  expect,
}) => {
  await using replicas = await Replicas.prepare(program.entry);
  const [one, other, third] = await Promise.all([replicas.start(), replicas.start(), replicas.start()]);
  replicas.relay.hold({ ...heldAfterSending, atMost: 1 });
  const first = send(one, 'deployment', 'a cat', 'key');
  await replicas.relay.holds(1);
  const joined = send(other, 'deployment', 'a cat', 'key');
  replicas.relay.release();
  const replies = [await first.reply, await joined.reply, await send(third, 'deployment', 'a cat', 'key').reply];
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(new Set(replies.map(({ body }) => body.toString('latin1'))).size).toBe(1);
  expect(replies[2]?.headers['idempotent-replayed']).toBe('true');
  expect(replicas.billed('a cat')).toBe(1);
});

test.concurrent('a job that one replica runs is polled, listed and fetched on another', async ({ expect }) => {
  await using replicas = await Replicas.prepare(program.entry);
  const [one, other] = await Promise.all([replicas.start(), replicas.start()]);
  const started = await post(
    one,
    '/v1/images/generations',
    { model: 'image', prompt: 'a cat' },
    { prefer: 'respond-async' },
  );
  expect(started.status).toBe(202);
  const { id } = (await started.json()) as { id: string };
  await expect.poll(async () => (await json(other, `/v1/images/jobs/${id}`)).status).toBe('completed');
  expect((await json(other, `/v1/images/jobs/${id}/content`)).data).toHaveLength(1);
  expect((await json(other, '/v1/images/jobs')).data).toMatchObject([{ id, status: 'completed' }]);
  expect(replicas.billed('a cat')).toBe(1);
});

test.concurrent('a response that one replica makes is streamed to its end by another', async ({ expect }) => {
  await using replicas = await Replicas.prepare(program.entry);
  const [one, other] = await Promise.all([replicas.start(), replicas.start()]);
  replicas.relay.hold({ ...heldBeforeImage('response'), atMost: 1 });
  const started = await post(one, '/v1/responses', { model: 'later', input: 'a cat', background: true });
  const { id } = (await started.json()) as { id: string };
  await replicas.relay.holds(1);
  const streaming = await get(other, `/v1/responses/${id}?stream=true`);
  expect(streaming.status).toBe(200);
  replicas.relay.release();
  expect(await streaming.text()).toContain('event: response.completed');
  expect(replicas.billed('a cat')).toBe(1);
});

test.concurrent('a job that waits on one replica is cancelled on another, and never sent', async ({ expect }) => {
  await using replicas = await Replicas.prepare(program.entry, { keys: { maxConcurrent: 1 } });
  const [one, other] = await Promise.all([replicas.start(), replicas.start()]);
  replicas.relay.hold({ ...heldAfterSending, atMost: 1 });
  const busy = send(one, 'deployment', 'a dog', 'key');
  await replicas.relay.holds(1);
  const started = await post(
    one,
    '/v1/images/generations',
    { model: 'image', prompt: 'a cat' },
    { prefer: 'respond-async' },
  );
  const { id } = (await started.json()) as { id: string };
  const cancelled = await post(other, `/v1/images/jobs/${id}/cancel`, {});
  expect(cancelled.status).toBe(200);
  replicas.relay.release();
  await busy.reply;
  expect(await json(one, `/v1/images/jobs/${id}`)).toMatchObject({ status: 'cancelled' });
  expect(replicas.billed('a cat')).toBe(0);
});

test.concurrent('accepted work of a replica that was killed is followed by another', async ({ expect }) => {
  await using replicas = await Replicas.prepare(program.entry);
  const [one, other] = await Promise.all([replicas.start(), replicas.start()]);
  await one.stopAt('handle noted');
  const first = send(one, 'legacy', 'a cat', 'key');
  await one.reached('handle noted');
  await one.kill();
  expect(await first.reply).toMatchObject({ isWhole: false });
  expect(await send(other, 'legacy', 'a cat', 'key').reply).toMatchObject({ status: 200, isWhole: true });
  expect(replicas.billed('a cat')).toBe(1);
});

/** A process whose wall clock is off by so much. */
function skewed(ms: number): { readonly NODE_OPTIONS: string } {
  const script = `const real = Date.now; Date.now = () => real() + ${ms};`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
}

test.concurrent('clocks that differ by a minute take no job from a replica that lives, and no result before its time', async ({
  expect,
}) => {
  await using replicas = await Replicas.prepare(program.entry);
  const [late, early] = await Promise.all([
    replicas.start({ env: skewed(-30_000) }),
    replicas.start({ env: skewed(30_000) }),
  ]);
  for (const [runs, asks] of [
    [late, early],
    [early, late],
  ] as const) {
    const prompt = runs === late ? 'a late cat' : 'an early cat';
    replicas.relay.hold({ ...heldAfterSending, atMost: 1 });
    const first = send(runs, 'deployment', prompt, prompt);
    await replicas.relay.holds(1);
    const joined = send(asks, 'deployment', prompt, prompt);
    await wait(leaseMs + 2_000);
    replicas.relay.release();
    const replies = await Promise.all([first.reply, joined.reply]);
    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    expect(await send(asks, 'deployment', prompt, prompt).reply).toMatchObject({ status: 200 });
    expect(replicas.billed(prompt)).toBe(1);
  }
});
