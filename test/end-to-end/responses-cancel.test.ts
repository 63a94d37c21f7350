import { describe, expect, test } from 'vitest';
import { startHeld } from '../jobs/paid-once.ts';
import { respond, stored } from './call-responses.ts';
import { readEvents } from './events.ts';
import { tinyPng } from './rig.ts';

const inBackground = { model: 'image', input: 'a cat', background: true };
const cancel = (url: string, id: string) => stored(url, `${id}/cancel`, { method: 'POST' });

const made = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

describe('a response that waits for its turn', () => {
  test('is cancelled, and stays so', async () => {
    const { url, held } = await startHeld({ limits: { inFlight: 1 } });
    const first = (await respond(url, inBackground)).body();
    await expect.poll(() => held.length).toBe(1);
    const { id, status } = (await respond(url, inBackground)).body();
    expect(status).toBe('queued');
    for (const response of [await cancel(url, id), await cancel(url, id), await stored(url, id)]) {
      expect(response.status).toBe(200);
      expect(response.body()).toMatchObject({ id, status: 'cancelled', error: null, output: [] });
    }
    expect(readEvents((await stored(url, `${id}?stream=true`)).text).at(-1)).toMatchObject({
      name: 'response.failed',
      data: { response: { status: 'cancelled', error: null } },
    });
    held[0]?.end(made);
    await expect.poll(async () => (await stored(url, first.id)).body().status).toBe('completed');
    expect(held.length).toBe(1);
  });
});

describe('a response whose image is being made', () => {
  test('cannot be cancelled where Azure cannot be asked to, nor be deleted', async () => {
    const { url, held } = await startHeld();
    const { id } = (await respond(url, inBackground)).body();
    await expect.poll(() => held.length).toBe(1);
    expect((await stored(url, id)).body().status).toBe('in_progress');
    const refused = await cancel(url, id);
    expect([refused.status, refused.body().error?.code]).toEqual([400, 'job_not_cancellable']);
    const kept = await stored(url, id, { method: 'DELETE' });
    expect([kept.status, kept.body().error?.code]).toEqual([409, 'job_not_completed']);
    held[0]?.end(made);
    await expect.poll(async () => (await stored(url, id)).body().output[0]?.result).toBe(tinyPng);
  });

  test('is followed by any number of streams', async () => {
    const { url, held } = await startHeld();
    const { id } = (await respond(url, inBackground)).body();
    await expect.poll(() => held.length).toBe(1);
    const streams = ['', '&starting_after=3'].map((after) => stored(url, `${id}?stream=true${after}`));
    held[0]?.end(made);
    const [all = [], rest] = (await Promise.all(streams)).map(({ text }) => readEvents(text));
    expect(all.map(({ data }) => data.sequence_number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(rest).toEqual(all.slice(4));
  });

  test('with a client that waits cannot be cancelled by another call', async () => {
    const { url, held } = await startHeld();
    const controller = new AbortController();
    const call = fetch(`${url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: 'Bearer gateway-key-canary', 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'image', input: 'a cat', stream: true }),
      signal: controller.signal,
    });
    const { body } = await call;
    await expect.poll(() => held.length).toBe(1);
    const reader = body?.getReader();
    const first = Buffer.from((await reader?.read())?.value ?? []).toString();
    const [, id = ''] = /"id":"(resp_[^"]+)"/.exec(first) ?? [];
    const refused = await cancel(url, id);
    expect([refused.status, refused.body().error?.message]).toEqual([400, expect.stringContaining('background')]);
    held[0]?.end(made);
    controller.abort();
  });
});

test.each([
  ['/cancel', 'POST'],
  ['', 'GET'],
  ['', 'DELETE'],
])('an unknown response: %s %s', async (path, method) => {
  const { url } = await startHeld();
  const { status, body } = await stored(url, `resp_unknown${path}`, { method });
  expect([status, body().error?.code]).toEqual([404, 'job_not_found']);
});

test.each([
  ['?stream=maybe', 'stream'],
  ['?starting_after=1', 'starting_after'],
  ['?stream=true&starting_after=x', 'starting_after'],
])('the query %s is refused', async (query, param) => {
  const { url } = await startHeld();
  const { status, body } = await stored(url, `resp_unknown${query}`);
  expect([status, body().error?.param]).toEqual([400, param]);
});

test.each([
  ['without a store for it', { store: false }, {}, 'background'],
  ['without a data directory', {}, { dataDir: undefined }, 'background'],
])('a response in the background is refused %s', async (_, members, options, param) => {
  const { url, held } = await startHeld(options);
  const { status, body } = await respond(url, { ...inBackground, ...members });
  expect([status, body().error?.param]).toEqual([400, param]);
  expect(held).toEqual([]);
});

test('the items of an input are not kept, and the refusal says so', async () => {
  const { url } = await startHeld();
  const { status, text } = await stored(url, 'resp_1/input_items');
  expect([status, text]).toEqual([404, expect.stringContaining('not kept')]);
});
