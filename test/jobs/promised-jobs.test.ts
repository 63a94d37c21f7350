import { describe, expect, test } from 'vitest';
import { respond, stored } from '../end-to-end/call-responses.ts';
import { tinyPng } from '../end-to-end/rig.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { asynchronous, call, endOf, jobIn, startedJob } from './job-calls.ts';
import { generate, keyed, startHeld, startPaidOnce } from './paid-once.ts';

const jobs = '/v1/images/jobs';
const made = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });
const one = { limits: { inFlight: 1 } };
const json = { 'content-type': 'application/json' };

/** A request whose client leaves when it is told to. */
function leaving(
  url: string,
  members: object,
  headers: Readonly<Record<string, string>>,
  path = '/v1/images/generations',
) {
  const controller = new AbortController();
  const ended = fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gatewayKey}`, ...json, ...headers },
    body: JSON.stringify(members),
    signal: controller.signal,
  })
    .then((response) => response.text())
    .catch(() => 'gone');
  return { ended, leave: () => controller.abort() };
}

describe('a job that was promised by a 202', () => {
  test('outlives the client of the request that it has joined, before anything was sent', async () => {
    const { url, held } = await startHeld(one);
    await startedJob(url, { prompt: 'a red fox' });
    await expect.poll(() => held.length).toBe(1);
    const first = leaving(url, { prompt: 'a blue fox' }, keyed('k'));
    await expect.poll(async () => JSON.parse((await call(url, jobs)).text).data.length).toBe(2);
    const promised = await generate(url, { prompt: 'a blue fox' }, { ...asynchronous, ...keyed('k') });
    expect(promised.status).toBe(202);
    first.leave();
    expect(await first.ended).toBe('gone');
    held[0]?.end(made);
    await expect.poll(() => held.length).toBe(2);
    held[1]?.end(made);
    expect(await endOf(url, jobIn(promised).id)).toMatchObject({ status: 'completed' });
  });

  test('is run by the next gateway when this one is stopped before anything was sent', async () => {
    const dataDir = await temporaryDirectory();
    const before = await startHeld({ ...one, dataDir });
    await startedJob(before.url, { prompt: 'a red fox' });
    await expect.poll(() => before.held.length).toBe(1);
    const first = leaving(before.url, { prompt: 'a blue fox' }, keyed('k'));
    await expect.poll(async () => JSON.parse((await call(before.url, jobs)).text).data.length).toBe(2);
    const promised = await generate(before.url, { prompt: 'a blue fox' }, { ...asynchronous, ...keyed('k') });
    before.gateway.app.gateway.parkOrphans();
    before.gateway.app.gateway.cancelAll();
    await first.ended;
    before.held[0]?.end(made);
    await before.gateway.app.server.close();
    const after = await startPaidOnce({ dataDir });
    expect(await endOf(after.url, jobIn(promised).id)).toMatchObject({ status: 'completed' });
    expect(after.received).toBe(1);
  });
});

describe('a gateway that stops', () => {
  test('does not tell the stream of a response that waits that it has failed', async () => {
    const { url, held, gateway } = await startHeld(one);
    await respond(url, { model: 'image', input: 'a red fox', background: true });
    await expect.poll(() => held.length).toBe(1);
    const { id } = (await respond(url, { model: 'image', input: 'a blue fox', background: true })).body();
    const stream = fetch(`${url}/v1/responses/${id}?stream=true`, {
      headers: { authorization: `Bearer ${gatewayKey}` },
    });
    const response = await stream;
    const reader = response.body?.getReader();
    const begun = Buffer.from((await reader?.read())?.value ?? []).toString();
    expect(begun).toContain('response.created');
    gateway.app.gateway.parkOrphans();
    let rest = begun;
    await expect(
      (async () => {
        for (let next = await reader?.read(); !next?.done; next = await reader?.read()) {
          rest += Buffer.from(next?.value ?? []).toString();
        }
      })(),
    ).rejects.toThrow();
    expect(rest).not.toContain('response.failed');
    held[0]?.end(made);
  });

  test('leaves a job that waits for a target to the next one', async () => {
    const dataDir = await temporaryDirectory();
    const before = await startHeld({ dataDir, modelKeys: { maxConcurrent: 1 } });
    await startedJob(before.url, { prompt: 'a red fox' });
    await expect.poll(() => before.held.length).toBe(1);
    const id = await startedJob(before.url, { prompt: 'a blue fox' });
    before.gateway.app.gateway.parkOrphans();
    before.held[0]?.end(made);
    await before.gateway.app.server.close();
    const after = await startPaidOnce({ dataDir });
    expect(await endOf(after.url, id)).toMatchObject({ status: 'completed' });
  });
});

describe('one job, seen by several APIs', () => {
  test('a key that was used for an image is a response that can be retrieved, and edited', async () => {
    const gateway = await startPaidOnce();
    const { url } = gateway;
    await generate(url, { model: 'image', response_format: 'b64_json' }, keyed('k'));
    const again = await respond(url, { model: 'image', input: 'a cat' }, { headers: keyed('k') });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    const { id, output } = again.body();
    expect((await stored(url, id)).body()).toMatchObject({ id, status: 'completed', output });
    const second = await respond(url, { model: 'image', input: 'a hat', previous_response_id: id });
    expect(second.body().output[0]?.action).toBe('edit');
    expect(gateway.received).toBe(2);
  });

  test('a request that waits can be cancelled by its job, and both are told so', async () => {
    const { url, held } = await startHeld(one);
    await startedJob(url, { prompt: 'a red fox' });
    await expect.poll(() => held.length).toBe(1);
    const waiting = generate(url, { prompt: 'a blue fox' }, keyed('k'));
    await expect.poll(async () => JSON.parse((await call(url, jobs)).text).data.length).toBe(2);
    const [{ id }] = JSON.parse((await call(url, jobs)).text).data;
    const cancelled = await call(url, `${jobs}/${id}/cancel`, { method: 'POST' });
    expect([cancelled.status, jobIn(cancelled).status]).toEqual([200, 'cancelled']);
    const told = await waiting;
    expect([told.status, told.json().error.code]).toEqual([410, 'job_cancelled']);
    held[0]?.end(made);
  });

  test('a response with store: false leaves nothing behind, also when its client has left', async () => {
    const gateway = await startPaidOnce();
    const { url } = gateway;
    const whole = await respond(url, { model: 'image', input: 'a cat', store: false, stream: true });
    expect(whole.text).toContain('response.completed');
    const left = leaving(
      url,
      { model: 'image', input: 'simulate:slow-300', store: false, stream: true },
      {},
      '/v1/responses',
    );
    await expect.poll(() => gateway.received).toBe(2);
    left.leave();
    await left.ended;
    await expect.poll(() => gateway.app.gateway.inFlight).toBe(0);
    expect(JSON.parse((await call(url, jobs)).text).data).toEqual([]);
  });
});

describe('details', () => {
  test('an image that is sent and not worked on is forgotten', async () => {
    const { url } = await startPaidOnce({ uploadsBytes: 8_000_000 });
    const image = `data:image/png;base64,${Buffer.concat([Buffer.from(tinyPng, 'base64'), Buffer.alloc(2_500_000)]).toString('base64')}`;
    const content = [
      { type: 'input_text', text: 'a cat' },
      { type: 'input_image', image_url: image },
    ];
    const body = {
      model: 'image',
      input: [{ role: 'user', content }],
      tools: [{ type: 'image_generation', action: 'generate' }],
    };
    const statuses: number[] = [];
    for (let count = 0; count < 5; count += 1) statuses.push((await respond(url, body)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200]);
  });

  test('HEAD of an image says how long it is', async () => {
    const { url } = await startPaidOnce();
    const id = await startedJob(url);
    await endOf(url, id);
    const path = `${jobs}/${id}/content`;
    const [head, get] = await Promise.all(
      ['HEAD', 'GET'].map((method) => call(url, path, { method, headers: { accept: 'image/*' } })),
    );
    expect(head?.headers.get('content-length')).toBe(get?.headers.get('content-length'));
    expect(head?.text).toBe('');
  });

  test('a key that is reused for an operation is a conflict of that key', async () => {
    const { url } = await startPaidOnce();
    const submit = '/openai/images/generations:submit';
    expect((await generate(url, {}, keyed('k'), submit)).status).toBe(202);
    const other = await generate(url, { n: 2 }, keyed('k'), submit);
    expect([other.status, JSON.parse(other.text).error.target]).toEqual([422, 'Idempotency-Key']);
  });

  test.each([
    [{ metadata: JSON.parse('{"__proto__":"a"}') }, 'metadata'],
    [{ input: 'x'.repeat(300_000) }, 'input'],
    [{ tools: [{ type: 'image_generation', background: true }] }, 'tools[0].background'],
  ])('what a response cannot have is refused by its name: %#', async (members, param) => {
    const { url } = await startPaidOnce();
    const refused = await respond(url, { model: 'image', input: 'a cat', ...members });
    expect([refused.status, refused.body().error?.param]).toEqual([400, param]);
  });
});
