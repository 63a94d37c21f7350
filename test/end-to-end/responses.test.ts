import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { startPaidOnce } from '../jobs/paid-once.ts';
import { respond, respondStreamed, responseIn, stored } from './call-responses.ts';
import { dataUrl, pngImage } from './edits.ts';
import { readEvents } from './events.ts';

const withTool = (options: object = {}) => ({ tools: [{ type: 'image_generation', ...options }] });

test('a prompt becomes a response with one image', async () => {
  const { url, simulator } = await startPaidOnce();
  const { status, body, headers } = await respond(url, {
    model: 'image',
    input: 'a cat',
    ...withTool({ size: '1024x1024', quality: 'low' }),
    temperature: 1,
  });
  expect(status).toBe(200);
  expect(headers.get('x-gateway-adapted')).toBe('temperature=ignored');
  expect(body()).toMatchObject({
    object: 'response',
    status: 'completed',
    model: 'image',
    output: [
      { type: 'image_generation_call', status: 'completed', size: '1024x1024', quality: 'low', action: 'generate' },
    ],
    error: null,
    temperature: 1,
    tools: withTool({ size: '1024x1024', quality: 'low' }).tools,
  });
  expect(body().id.replace('resp_', 'ig_')).toBe(body().output[0]?.id);
  expect(
    Buffer.from(body().output[0]?.result ?? '', 'base64')
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG');
  expect(simulator.ledger.received).toBe(1);
});

test('the same response can be retrieved, byte for byte, until it is deleted', async () => {
  const { url } = await startPaidOnce();
  const made = await respond(url, { model: 'image', input: 'a cat' });
  const { id } = made.body();
  expect((await stored(url, id)).text).toBe(made.text);
  expect((await stored(url, id, { method: 'DELETE' })).body()).toEqual({ id, object: 'response', deleted: true });
  expect((await stored(url, id)).status).toBe(404);
});

test('a stream can be read again from any event on', async () => {
  const { url } = await startPaidOnce();
  const { events } = await respondStreamed(url, { model: 'image', input: 'a cat', ...withTool({ partial_images: 2 }) });
  const kept = events.filter(({ name }) => !name.endsWith('partial_image'));
  expect(events.length - kept.length).toBe(2);
  expect(kept.at(-1)?.name).toBe('response.completed');
  const { id } = responseIn(kept.at(-1));
  const again = await stored(url, `${id}?stream=true`);
  expect(readEvents(again.text)).toEqual(kept);
  const rest = await stored(url, `${id}?stream=true&starting_after=7`);
  expect(readEvents(rest.text)).toEqual(kept.filter(({ data }) => Number(data.sequence_number) > 7));
  expect(JSON.parse((await stored(url, id)).text)).toEqual(kept.at(-1)?.data.response);
});

describe('an earlier image', () => {
  test.each(['previous_response_id', 'an item of the input'])('is edited, named by %s', async (how) => {
    const { url, simulator } = await startPaidOnce();
    const first = (await respond(url, { model: 'image', input: 'a cat' })).body();
    const item = { type: 'image_generation_call', id: first.output[0]?.id, status: 'completed', result: null };
    const named =
      how === 'previous_response_id'
        ? { previous_response_id: first.id, input: 'make it red' }
        : { input: [item, { role: 'user', content: 'make it red' }] };
    const second = await respond(url, { model: 'image', ...named });
    expect(second.status).toBe(200);
    expect(second.body().output[0]?.action).toBe('edit');
    expect(simulator.ledger.requests.at(-1)?.path).toContain('/images/edits');
  });

  test.each(['resp_unknown', 'ig_unknown'])('that is unknown is refused: %s', async (id) => {
    const { url, simulator } = await startPaidOnce();
    const named = id.startsWith('resp')
      ? { previous_response_id: id, input: 'a' }
      : { input: [{ id }, { role: 'user', content: 'a' }] };
    const { status, body } = await respond(url, { model: 'image', ...named });
    expect([status, body().error?.code]).toEqual([400, 'previous_response_not_found']);
    expect(simulator.ledger.received).toBe(0);
  });

  test('of another consumer is unknown, too', async () => {
    const { url } = await startPaidOnce({ keys: ['one-canary', 'two-canary'] });
    const [one, two] = ['one-canary', 'two-canary'].map((key) => ({ headers: { authorization: `Bearer ${key}` } }));
    const { id } = (await respond(url, { model: 'image', input: 'a cat' }, one)).body();
    expect((await stored(url, id, { key: 'two-canary' })).status).toBe(404);
    const refused = await respond(url, { model: 'image', input: 'a', previous_response_id: id }, two);
    expect([refused.status, refused.body().error?.code]).toEqual([400, 'previous_response_not_found']);
  });
});

test('an image of the input is edited', async () => {
  const { url } = await startPaidOnce();
  const content = [
    { type: 'input_text', text: 'a hat' },
    { type: 'input_image', image_url: dataUrl(await pngImage()) },
  ];
  const { body } = await respond(url, { model: 'image', input: [{ role: 'user', content }] });
  expect(body().output[0]?.action).toBe('edit');
});

test.each([false, true])('a response that is not to be stored is not found again, streamed: %s', async (stream) => {
  const { url } = await startPaidOnce();
  const asked = { model: 'image', input: 'a cat', store: false };
  const { id, output } = stream
    ? responseIn((await respondStreamed(url, asked)).events.at(-1))
    : (await respond(url, asked)).body();
  expect(output[0]?.result.length).toBeGreaterThan(100);
  expect((await stored(url, id)).status).toBe(404);
  const refused = await respond(url, { model: 'image', input: 'a', previous_response_id: id });
  expect(refused.body().error?.code).toBe('previous_response_not_found');
});

describe('a failure', () => {
  test('is an error response that names the member of the body', async () => {
    const { url } = await startPaidOnce();
    const { status, body } = await respond(url, { model: 'image', input: 'a', ...withTool({ size: '10x10' }) });
    expect([status, body().error]).toMatchObject([400, { param: 'tools[0].size' }]);
  });

  test('of a stream is an event', async () => {
    const { url } = await startPaidOnce();
    const { events } = await respondStreamed(url, { model: 'image', input: 'simulate:moderation-blocked' });
    expect(events.at(-1)).toMatchObject({
      name: 'response.failed',
      data: { response: { status: 'failed', error: { code: 'moderation_blocked' } } },
    });
    const { id } = responseIn(events[0]);
    expect((await stored(url, id)).body()).toEqual(events.at(-1)?.data.response);
    expect(readEvents((await stored(url, `${id}?stream=true`)).text)).toEqual(events);
  });
});

describe('in the background', () => {
  test('a response is there at once, and its image later', async () => {
    const { url } = await startPaidOnce();
    const made = await respond(url, { model: 'image', input: 'a cat', background: true, temperature: 1 });
    expect([made.status, made.headers.get('x-gateway-adapted')]).toEqual([200, 'temperature=ignored']);
    const { id, status } = made.body();
    expect(['queued', 'in_progress']).toContain(status);
    await expect.poll(async () => (await stored(url, id)).body().status).toBe('completed');
    expect((await stored(url, id)).body().output[0]?.result.length).toBeGreaterThan(100);
    // What has ended cannot be cancelled any more, and is shown as it is.
    expect((await stored(url, `${id}/cancel`, { method: 'POST' })).body().status).toBe('completed');
  });

  test('a stream can be left and resumed', async () => {
    const { url } = await startPaidOnce();
    const { events } = await respondStreamed(url, { model: 'image', input: 'a cat', background: true });
    expect(events.at(-1)?.name).toBe('response.completed');
    const { id } = responseIn(events[0]);
    expect(readEvents((await stored(url, `${id}?stream=true&starting_after=2`)).text)).toEqual(
      events.filter(({ data }) => Number(data.sequence_number) > 2),
    );
  });
});

test('clients of Foundry projects, and of any other root, get the same', async () => {
  const { url } = await startPaidOnce();
  const agent = { name: 'image', type: 'agent_reference' };
  for (const root of ['/openai/v1', '/openai', '', '/v1/v1', '/m/image/v1', '/api/projects/shop/openai/v1']) {
    const headers = { 'x-ms-oai-image-generation-deployment': 'gpt-image-2' };
    const { status, body, ...called } = await respond(
      url,
      { input: 'a cat', agent_reference: agent },
      { path: `${root}/responses?api-version=v1`, headers },
    );
    expect([root, status, body().model]).toEqual([root, 200, 'image']);
    expect(called.headers.get('x-gateway-adapted')).toBe('x-ms-oai-image-generation-deployment=ignored');
  }
});

test('an Idempotency-Key buys one response, whose id stays', async () => {
  const { url, simulator } = await startPaidOnce();
  const headers = { 'idempotency-key': 'order-1' };
  const asked = { model: 'image', input: 'a cat', metadata: { order: '1' } };
  const [first, again] = [await respond(url, asked, { headers }), await respond(url, asked, { headers })];
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(again.text).toBe(first.text);
  const streamed = await respond(url, { ...asked, stream: true }, { headers });
  expect(responseIn(readEvents(streamed.text).at(-1))).toEqual(first.body());
  expect(simulator.ledger.received).toBe(1);
});

test('the openai package reads a response, its events and what is stored', async () => {
  const { url } = await startPaidOnce();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: gatewayKey, maxRetries: 0 });
  const made = await client.responses.create({ model: 'image', input: 'a cat' });
  expect(made.output_text).toBe('');
  expect(await client.responses.retrieve(made.id)).toEqual(made);
  const stream = client.responses.stream({
    model: 'image',
    input: 'a cat',
    tools: [{ type: 'image_generation', partial_images: 1 }],
  });
  const types: string[] = [];
  for await (const event of stream) types.push(event.type);
  expect(types).toContain('response.image_generation_call.partial_image');
  expect((await stream.finalResponse()).output[0]).toMatchObject({
    type: 'image_generation_call',
    status: 'completed',
  });
  const background = await client.responses.create({ model: 'image', input: 'a cat', background: true });
  await expect.poll(async () => (await client.responses.retrieve(background.id)).status).toBe('completed');
  expect((await client.responses.cancel(background.id)).status).toBe('completed');
  await client.responses.delete(background.id);
  await expect(client.responses.retrieve(background.id)).rejects.toMatchObject({ status: 404 });
});
