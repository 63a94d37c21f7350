import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { asynchronous, call, endOf, jobIn, startedJob } from './job-calls.ts';
import { edit, generate, imagesIn, keyed, startHeld, startPaidOnce } from './paid-once.ts';

const jobs = '/v1/images/jobs';
const hex = (text: string) => Buffer.from(text).toString('base64');
const image = JSON.stringify({ created: 1, data: [{ b64_json: hex('x') }] });

const callers = { shop: { keys: [{ key: 'shop-key' }] }, mill: { keys: [{ key: 'mill-key' }] } };
const as = (key: string) => ({ authorization: `Bearer ${key}` });

const codeIn = ({ status, text }: { readonly status: number; readonly text: string }) => [
  status,
  JSON.parse(text).error?.code,
];

describe('a job that waits', () => {
  const one = { limits: { inFlight: 1 } };

  test('is cancelled for free, and its key is free again', async () => {
    const { url, held, gateway } = await startHeld(one);
    await startedJob(url, { prompt: 'a red fox' });
    await expect.poll(() => held.length).toBe(1);
    const waiting = await generate(url, { prompt: 'a blue fox' }, { ...asynchronous, ...keyed('k') });
    const { id } = jobIn(waiting);
    expect(jobIn(await call(url, `${jobs}/${id}`)).status).toBe('queued');
    expect(codeIn(await call(url, `${jobs}/${id}/content`))).toEqual([409, 'job_not_completed']);
    expect(codeIn(await call(url, `${jobs}/${id}`, { method: 'DELETE' }))).toEqual([409, 'job_not_completed']);
    const cancelled = await call(url, `${jobs}/${id}/cancel`, { method: 'POST' });
    expect([cancelled.status, jobIn(cancelled)]).toMatchObject([200, { status: 'cancelled', error: null }]);
    // Cancelling it again changes nothing.
    expect(jobIn(await call(url, `${jobs}/${id}/cancel`, { method: 'POST' })).status).toBe('cancelled');
    expect(codeIn(await call(url, `${jobs}/${id}/content`))).toEqual([410, 'job_cancelled']);
    expect(gateway.received).toBe(0);
    expect(held).toHaveLength(1);
  });

  test('is run by the next gateway, with its inputs, and only once', async () => {
    const dataDir = await temporaryDirectory();
    const before = await startHeld({ ...one, dataDir });
    await startedJob(before.url, { prompt: 'a red fox' });
    await expect.poll(() => before.held.length).toBe(1);
    const id = jobIn(await edit(before.url, { prompt: 'a hat' }, asynchronous)).id;
    before.gateway.app.gateway.parkOrphans();
    before.held[0]?.writeHead(200, { 'content-type': 'application/json' }).end(image);
    await before.gateway.app.server.close();
    expect(await readdir(join(dataDir, 'inputs'))).toHaveLength(1);
    const after = await startPaidOnce({ dataDir });
    expect(await endOf(after.url, id)).toMatchObject({ status: 'completed' });
    expect(await imagesIn(await call(after.url, `${jobs}/${id}/content`))).toHaveLength(1);
    expect([before.held.length, after.received]).toEqual([1, 1]);
    await expect.poll(() => readdir(join(dataDir, 'inputs'))).toEqual([]);
  });

  test('whose model has left the configuration says so', async () => {
    const dataDir = await temporaryDirectory();
    const before = await startHeld({ ...one, dataDir });
    await startedJob(before.url, { prompt: 'a red fox' });
    await expect.poll(() => before.held.length).toBe(1);
    const id = await startedJob(before.url, { model: 'artist' });
    before.held[0]?.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"message":"no"}}');
    before.gateway.app.gateway.parkOrphans();
    await before.gateway.app.server.close();
    const after = await startPaidOnce({ dataDir, withoutAgents: true });
    expect(await endOf(after.url, id)).toMatchObject({ status: 'failed', error: { code: 'model_not_found' } });
    expect(codeIn(await call(after.url, `${jobs}/${id}/content`))).toEqual([404, 'model_not_found']);
  });
});

describe('a job that runs', () => {
  test('cannot be cancelled where the image service cannot be asked to stop it', async () => {
    const { url, held } = await startHeld();
    const id = await startedJob(url);
    await expect.poll(() => held.length).toBe(1);
    expect(jobIn(await call(url, `${jobs}/${id}`)).status).toBe('in_progress');
    expect(codeIn(await call(url, `${jobs}/${id}/cancel`, { method: 'POST' }))).toEqual([400, 'job_not_cancellable']);
    held[0]?.writeHead(429, { 'content-type': 'application/json' }).end('{"error":{"code":"429","message":"slow"}}');
    const job = await endOf(url, id);
    expect(job).toMatchObject({ status: 'failed', error: { code: 'rate_limit_exceeded' } });
    const content = await call(url, `${jobs}/${id}/content`);
    expect(JSON.parse(content.text).error).toEqual(job.error);
  });

  test('is cancelled upstream where that can be', async () => {
    const rig = await startPaidOnce();
    const id = await startedJob(rig.url, { model: 'later', prompt: 'simulate:agent-stuck' });
    await expect.poll(() => rig.received).toBe(1);
    await expect.poll(async () => (await call(rig.url, `${jobs}/${id}/cancel`, { method: 'POST' })).status).toBe(200);
    expect(await endOf(rig.url, id)).toMatchObject({ status: 'cancelled' });
    await expect.poll(() => rig.simulator.ledger.counts().cancelled).toBe(1);
  });

  test.each([1, 2, 3, 4, 5])('cancelled while it completes ends in one way only (%i)', async () => {
    const { url } = await startPaidOnce();
    const id = await startedJob(url, { model: 'later' });
    const cancelled = await call(url, `${jobs}/${id}/cancel`, { method: 'POST' });
    const { status } = await endOf(url, id);
    expect(['cancelled', 'completed']).toContain(status);
    if (cancelled.status === 200) expect(jobIn(cancelled).status).toBe(status);
    const content = await call(url, `${jobs}/${id}/content`);
    expect(content.status).toBe(status === 'completed' ? 200 : 410);
  });
});

describe('a job that has ended', () => {
  test('is deleted with its images, once', async () => {
    const { url, dataDir } = await startPaidOnce();
    const id = await startedJob(url, { response_format: 'url' });
    await endOf(url, id);
    const { data } = (await call(url, `${jobs}/${id}/content`)).json();
    expect((await fetch(data[0]?.url ?? '')).status).toBe(200);
    const deleted = await call(url, `${jobs}/${id}`, { method: 'DELETE' });
    expect(JSON.parse(deleted.text)).toEqual({ id, object: 'image.job', deleted: true });
    for (const path of [`${jobs}/${id}`, `${jobs}/${id}/content`]) {
      expect(codeIn(await call(url, path))).toEqual([404, 'job_not_found']);
    }
    expect(codeIn(await call(url, `${jobs}/${id}`, { method: 'DELETE' }))).toEqual([404, 'job_not_found']);
    expect((await fetch(data[0]?.url ?? '')).status).toBe(404);
    expect((await readdir(dataDir ?? '', { recursive: true })).filter((name) => /\.png/.test(name))).toEqual([]);
  });

  test('has its images as files, by their index', async () => {
    const { url } = await startPaidOnce();
    const id = await startedJob(url, { n: 2 });
    await endOf(url, id);
    const both = await imagesIn(await call(url, `${jobs}/${id}/content`));
    for (const index of [0, 1]) {
      const file = await fetch(`${url}${jobs}/${id}/content?index=${index}`, {
        headers: { ...as(gatewayKey), accept: 'image/png, image/*;q=0.8' },
      });
      expect(file.headers.get('content-type')).toBe('image/png');
      expect(Buffer.from(await file.arrayBuffer())).toEqual(both[index]);
    }
    for (const index of ['2', '-1', 'a', '1e0', '']) {
      const headers = { accept: 'image/*' };
      const reply = await call(url, `${jobs}/${id}/content?index=${index}`, { headers });
      expect([index, ...codeIn(reply)]).toEqual([index, 400, 'invalid_value']);
    }
  });

  test('whose images are not stored any more has expired', async () => {
    const { url, dataDir } = await startPaidOnce();
    const id = await startedJob(url);
    await endOf(url, id);
    for (const name of await readdir(dataDir ?? '', { recursive: true })) {
      if (/\.png/.test(name)) await rm(join(dataDir ?? '', name));
    }
    expect(jobIn(await call(url, `${jobs}/${id}`)).status).toBe('expired');
    expect(codeIn(await call(url, `${jobs}/${id}/content`))).toEqual([410, 'idempotency_result_gone']);
    const listed = async (status: string) => JSON.parse((await call(url, `${jobs}?status=${status}`)).text).data.length;
    expect([await listed('expired'), await listed('completed')]).toEqual([1, 0]);
  });

  test('is given to the next gateway, byte for byte', async () => {
    const before = await startPaidOnce();
    const id = await startedJob(before.url, { n: 2 });
    await endOf(before.url, id);
    const content = await call(before.url, `${jobs}/${id}/content`);
    await before.app.server.close();
    const after = await startPaidOnce({ dataDir: before.dataDir });
    expect((await call(after.url, `${jobs}/${id}/content`)).text).toBe(content.text);
    expect(after.received).toBe(0);
  });
});

describe('jobs of others', () => {
  test('look like jobs that never were', async () => {
    const { url } = await startPaidOnce({ keys: [], callers });
    const id = jobIn(await generate(url, {}, { ...asynchronous, ...as('shop-key') })).id;
    const own = await call(url, `${jobs}/${id}`, { headers: as('shop-key') });
    expect(own.status).toBe(200);
    const unknown = `imgjob_${'A'.repeat(24)}`;
    const ids = [id, unknown, 'x', encodeURIComponent('../x'), encodeURIComponent("' or 1=1 --")];
    for (const [method, end] of [
      ['GET', ''],
      ['GET', '/content'],
      ['POST', '/cancel'],
      ['DELETE', ''],
    ] as const) {
      const replies = await Promise.all(
        ids.map((each) => call(url, `${jobs}/${each}${end}`, { method, headers: as('mill-key') })),
      );
      expect(new Set(replies.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
      expect(codeIn(replies[0] as (typeof replies)[0])).toEqual([404, 'job_not_found']);
    }
    expect(JSON.parse((await call(url, jobs, { headers: as('mill-key') })).text).data).toEqual([]);
    const after = await call(url, `${jobs}?after=${id}`, { headers: as('mill-key') });
    expect(codeIn(after)).toEqual([404, 'job_not_found']);
  });
});

describe('the list of jobs', () => {
  test('is paged, in both orders, by status and model', async () => {
    const { url } = await startPaidOnce();
    const ids: string[] = [];
    for (const prompt of ['one cat', 'two cats', 'simulate:filter-policy', 'three cats', 'four cats']) {
      ids.push(await startedJob(url, { prompt, model: prompt === 'two cats' ? 'studio/poster' : 'gpt-image-1' }));
      await endOf(url, ids.at(-1) ?? '');
    }
    const list = async (query: string) => {
      const page = JSON.parse((await call(url, `${jobs}?${query}`)).text);
      expect(page).toMatchObject({ object: 'list', first_id: page.data[0]?.id ?? null });
      return { ids: page.data.map((job: { id: string }) => ids.indexOf(job.id)), more: page.has_more };
    };
    expect(await list('')).toEqual({ ids: [4, 3, 2, 1, 0], more: false });
    expect(await list('limit=2')).toEqual({ ids: [4, 3], more: true });
    expect(await list(`limit=2&after=${ids[3]}`)).toEqual({ ids: [2, 1], more: true });
    expect(await list(`limit=2&after=${ids[1]}`)).toEqual({ ids: [0], more: false });
    expect(await list(`order=asc&after=${ids[2]}`)).toEqual({ ids: [3, 4], more: false });
    expect(await list('status=failed')).toEqual({ ids: [2], more: false });
    expect(await list('status=completed&limit=3')).toEqual({ ids: [4, 3, 1], more: true });
    expect(await list('status=queued')).toEqual({ ids: [], more: false });
    expect(await list(`model=${encodeURIComponent('studio/poster')}`)).toEqual({ ids: [1], more: false });
    expect(await list('model=gpt-image-1&limit=1')).toEqual({ ids: [4], more: true });
  });

  test.each(['limit=0', 'limit=101', 'limit=a', 'order=up', 'status=done', 'model=', 'after='])(
    'refuses %s',
    async (query) => {
      const { url } = await startPaidOnce();
      const reply = await call(url, `${jobs}?${query}`);
      expect([...codeIn(reply), JSON.parse(reply.text).error.param]).toEqual([
        400,
        'invalid_value',
        query.split('=')[0],
      ]);
    },
  );

  test('has every request with an Idempotency-Key, and no other', async () => {
    const { url } = await startPaidOnce();
    await generate(url);
    const first = await generate(url, {}, keyed('k'));
    const { data } = JSON.parse((await call(url, jobs)).text);
    expect(data).toMatchObject([{ id: first.headers.get('x-gateway-job'), status: 'completed' }]);
    expect((await call(url, `${jobs}/${data[0].id}/content`)).text).toBe(first.text);
  });
});

describe('the same request again', () => {
  test('with its key is the same job, while it runs and afterwards', async () => {
    const gateway = await startPaidOnce();
    const { url } = gateway;
    const headers = { ...asynchronous, ...keyed('k') };
    const [one, two] = await Promise.all([generate(url, {}, headers), generate(url, {}, headers)]);
    const { id } = jobIn(one);
    expect(jobIn(two).id).toBe(id);
    await endOf(url, id);
    const three = await generate(url, {}, headers);
    expect([three.status, jobIn(three), three.headers.get('idempotent-replayed')]).toMatchObject([
      202,
      { id, status: 'completed' },
      'true',
    ]);
    const plain = await generate(url, {}, keyed('k'));
    expect(plain.text).toBe((await call(url, `${jobs}/${id}/content`)).text);
    expect((await generate(url, { prompt: 'a grey fox' }, headers)).status).toBe(422);
    expect(gateway.received).toBe(1);
  });

  test('without a key is another job, unless its client says that it retries what nobody has retrieved yet', async () => {
    const gateway = await startPaidOnce();
    const { url } = gateway;
    const retry = { ...asynchronous, 'x-stainless-retry-count': '1' };
    const start = async (headers: Readonly<Record<string, string>>) => jobIn(await generate(url, {}, headers)).id;
    const first = await start(asynchronous);
    // What was started last is found by its time, which is counted in milliseconds.
    await delay(2);
    const second = await start(asynchronous);
    expect(second).not.toBe(first);
    // Each retry gets a job of its own, as long as there are some, beginning with the last.
    expect([await start(retry), await start(retry)]).toEqual([second, first]);
    await Promise.all([endOf(url, first), endOf(url, second)]);
    const third = await start(retry);
    expect([first, second]).not.toContain(third);
    // A second retry of the same request.
    expect(await start(retry)).toBe(third);
    expect(gateway.received).toBe(3);
  });
});

describe('what is refused', () => {
  test('a job that is to stream, in every form, and its inputs are freed', async () => {
    const gateway = await startPaidOnce();
    const { url } = gateway;
    for (const reply of [
      await generate(url, { stream: true }, asynchronous),
      await generate(url, { stream: true, background: true }),
      await generate(url, { stream: true }, {}, '/v1/images/generations/async'),
      await edit(url, { stream: 'true' }, asynchronous),
      await generate(url, { stream: true }, {}, '/openai/images/generations:submit'),
    ]) {
      expect([reply.status, JSON.parse(reply.text).error.param ?? JSON.parse(reply.text).error.target]).toEqual([
        400,
        'stream',
      ]);
    }
    expect(gateway.received).toBe(0);
    expect(await readdir(gateway.dataDir ?? '')).not.toContain('inputs');
  });

  test('jobs where nothing outlives the process, and the operator is told what to do', async () => {
    const gateway = await startPaidOnce({ dataDir: undefined });
    const { url } = gateway;
    for (const reply of [
      await generate(url, {}, asynchronous),
      await generate(url, { background: true }),
      await edit(url, {}, {}, '/v1/images/edits/async'),
      await generate(url, {}, {}, '/openai/images/generations:submit'),
      await call(url, jobs),
      await call(url, `${jobs}/x`),
      await call(url, '/v1/images/tasks/x'),
    ]) {
      expect(codeIn(reply)).toEqual([404, 'unsupported_operation']);
      expect(JSON.parse(reply.text).error.message).toContain('DATA_DIR');
    }
    expect(gateway.received).toBe(0);
  });

  test('a wait that is none is ignored, as are unknown wishes', async () => {
    const { url } = await startPaidOnce();
    for (const prefer of ['wait=soon', 'wait=-1', 'return=minimal, x="a, b"', ',,;', 'wait=1']) {
      expect((await generate(url, {}, { prefer })).status).toBe(200);
    }
    const id = await startedJob(url);
    expect((await call(url, `${jobs}/${id}`, { headers: { prefer: 'wait=99999999' } })).status).toBe(200);
  });
});

describe('the form of other gateways', () => {
  const start = '/v1/images/generations/async';

  test('has the result in the task', async () => {
    const { url } = await startPaidOnce();
    const accepted = await generate(url, {}, {}, start);
    const task = JSON.parse(accepted.text);
    expect([accepted.status, task]).toMatchObject([
      202,
      { task_id: task.id, object: 'image.generation.task', poll_url: `${url}/v1/images/tasks/${task.id}` },
    ]);
    await endOf(url, task.id);
    const polled = JSON.parse((await call(url, task.poll_url)).text);
    expect(polled).toMatchObject({ status: 'completed', http_status: 200, image_url: polled.result.data[0].url });
    expect((await fetch(polled.image_url)).status).toBe(200);
  });

  test('says what has failed', async () => {
    const { url } = await startPaidOnce();
    const { id } = JSON.parse((await generate(url, { prompt: 'simulate:filter-policy' }, {}, start)).text);
    await endOf(url, id);
    expect(JSON.parse((await call(url, `/v1/images/tasks/${id}`)).text)).toMatchObject({
      status: 'failed',
      http_status: 400,
      error: { code: 'content_policy_violation' },
    });
  });
});

describe('limits hold for jobs', () => {
  test('requests and images are counted when the job starts, and nothing for what is found again', async () => {
    const limited = { team: { keys: [{ key: 'team-key' }], limits: { requests: 2, images: 3 } } };
    const { url } = await startPaidOnce({ keys: [], callers: limited });
    const team = { ...asynchronous, ...as('team-key') };
    const first = await generate(url, { n: 2 }, { ...team, ...keyed('k') });
    expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('1');
    const again = await generate(url, { n: 2 }, { ...team, ...keyed('k') });
    expect([again.status, again.headers.get('x-ratelimit-remaining-requests')]).toEqual([202, '1']);
    const many = await generate(url, { n: 2, prompt: 'a green fox' }, team);
    expect(codeIn(many)).toEqual([429, 'rate_limit_exceeded']);
    // Nobody knows of a job that was refused.
    expect(JSON.parse((await call(url, jobs, { headers: as('team-key') })).text).data).toHaveLength(1);
  });
});
