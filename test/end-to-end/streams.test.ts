import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import Fastify from 'fastify';
import OpenAI, { APIError, BadRequestError } from 'openai';
import type { ImageGenStreamEvent } from 'openai/resources/images';
import sharp from 'sharp';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { GenerationReader } from '../../src/domain/generation-reader.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import { parseGeneration } from '../../src/http/surfaces/openai-images/parse-parameters.ts';
import { writeStream } from '../../src/http/surfaces/openai-images/write-stream.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { eventText } from '../helpers/event-text.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { completed, inWords, partial, readEvents, streamGateway } from './events.ts';
import {
  generationsPath,
  modelsFile,
  openSocket,
  rawCall,
  requestLines,
  startRig,
  startUpstream,
  tinyPng,
} from './rig.ts';

const patience = { timeout: 60_000 };

const clientOf = (url: string) => new OpenAI({ apiKey: gatewayKey, baseURL: `${url}/v1` });

const facts = { size: '1024x1024', quality: 'high', background: 'opaque', output_format: 'png' };
const usage = { total_tokens: 5, input_tokens: 2, output_tokens: 3 };

/** A gateway in front of an upstream that responds to every call with these pieces of text, or as the function does. */
async function startWith(respond: string | ((response: ServerResponse) => void | Promise<void>)) {
  const upstream = await startUpstream(async (_request, response) => {
    response.on('error', () => {});
    if (typeof respond !== 'string') await respond(response);
    else response.writeHead(200, { 'content-type': 'text/event-stream' }).end(respond);
  });
  return { upstream, gateway: await startGateway(modelsFile(upstream.origin)) };
}

/** What the SDK gives, and what it throws at the end, if it does. */
async function readAll(url: string, body: Record<string, unknown> = {}) {
  const events: ImageGenStreamEvent[] = [];
  let error: unknown;
  try {
    const stream = await clientOf(url).images.generate({ model: 'image', prompt: 'a cat', ...body, stream: true });
    for await (const event of stream) events.push(event);
  } catch (thrown) {
    error = thrown;
  }
  return { events, error };
}

/** The text of a stream; `onText` sees it grow. */
async function readText(url: string, requested: object, onText: (soFar: string) => void): Promise<string> {
  const { body } = await request(`${url}${generationsPath}`, {
    method: 'POST',
    headers: { 'api-key': gatewayKey, 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'a cat', stream: true, ...requested }),
  });
  let text = '';
  for await (const chunk of body.setEncoding('utf8')) {
    text += chunk;
    onText(text);
  }
  return text;
}

const typesOf = (events: readonly ImageGenStreamEvent[]) => events.map(({ type }) => type.split('.')[1]);

describe('a stream, read with the openai package', () => {
  test('a partial image is there before the upstream has sent the finished image', async () => {
    const seen = Promise.withResolvers<void>();
    const { gateway } = await startWith(async (response) => {
      response.write(partial({ b64_json: tinyPng, created_at: 7, ...facts, partial_image_index: 0 }));
      await seen.promise;
      response.end(completed({ b64_json: tinyPng, created_at: 8, ...facts, usage }));
    });
    const stream = await clientOf(gateway.url).images.generate({ prompt: 'a cat', stream: true, partial_images: 1 });
    const events: ImageGenStreamEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === 'image_generation.partial_image') seen.resolve();
    }
    expect(events).toEqual([
      {
        type: 'image_generation.partial_image',
        b64_json: tinyPng,
        created_at: 7,
        ...facts,
        partial_image_index: 0,
      },
      { type: 'image_generation.completed', b64_json: tinyPng, created_at: 8, ...facts, usage },
    ]);
  });

  test('the first half of an image is there before the upstream has sent the second', async () => {
    const seen = Promise.withResolvers<void>();
    const half = 'AAAA'.repeat(64 * 1024);
    const { gateway } = await startWith(async (response) => {
      response.write(`event: image_generation.completed\ndata: {"b64_json":"${tinyPng.slice(0, 88)}${half}`);
      await seen.promise;
      response.end('BBBB","created_at":8}\n\n');
    });
    const text = await readText(gateway.url, {}, (soFar) => {
      if (soFar.includes(half)) seen.resolve();
    });
    expect(readEvents(text).map(inWords)).toEqual(['completed']);
  });

  test.each([0, 1, 2, 3])('partial_images %i: as many events, and one finished image of that size', async (count) => {
    const rig = await startRig();
    const requested = { size: '1536x1024', partial_images: count };
    const { events, error } = await readAll(rig.url, requested);
    expect(error).toBeUndefined();
    expect(typesOf(events)).toEqual([...Array(count).fill('partial_image'), 'completed']);
    for (const event of events) {
      const { width, height, format } = await sharp(Buffer.from(event.b64_json, 'base64')).metadata();
      expect([width, height, format]).toEqual([1536, 1024, 'png']);
      expect(event).toMatchObject({ size: '1536x1024', quality: 'high', background: 'opaque', output_format: 'png' });
      expect(Math.abs(event.created_at - Date.now() / 1000)).toBeLessThan(600);
    }
    expect(events.slice(0, -1)).toMatchObject(
      Array.from({ length: count }, (_, index) => ({ partial_image_index: index })),
    );
    expect(events.at(-1)).toHaveProperty('usage.total_tokens', expect.any(Number));
    const wanted = count === 0 ? {} : { partial_images: count };
    expect(rig.paidPosts().map(({ body }) => body)).toEqual([
      { prompt: 'a cat', size: '1536x1024', stream: true, ...wanted },
    ]);
  });

  test('plain JSON instead of a stream: one honest completed event', async () => {
    const { events, error } = await readAll((await startRig()).url, { prompt: 'simulate:stream-json', quality: 'low' });
    expect(error).toBeUndefined();
    expect(typesOf(events)).toEqual(['completed']);
    expect(events[0]).toMatchObject({ quality: 'low', output_format: 'png', background: 'auto' });
    expect(events[0]).toHaveProperty('usage.total_tokens', expect.any(Number));
    expect((await sharp(Buffer.from(events[0]?.b64_json ?? '', 'base64')).metadata()).width).toBe(1024);
  });

  test('an error before any image is the SDK’s class of its status', async () => {
    const { events, error } = await readAll((await startRig()).url, { prompt: 'simulate:stream-error-flat' });
    expect(events).toEqual([]);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ status: 400, code: 'moderation_blocked', type: 'image_generation_user_error' });
  });

  test('an error after a partial image is an APIError with its code', async () => {
    const request = { prompt: 'simulate:stream-error-late', partial_images: 2 };
    const { events, error } = await readAll((await startRig()).url, request);
    expect(typesOf(events)).toEqual(['partial_image']);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: 'moderation_blocked', type: 'image_generation_user_error', param: null });
  });

  test.each([
    [
      'a partial image',
      'partial_image',
      'upstream_outcome_unknown',
      (response: ServerResponse) => response.socket?.end(),
    ],
    ['the finished image', 'completed', 'upstream_outcome_unknown', (response: ServerResponse) => response.end()],
    [
      'the finished image',
      'completed',
      'upstream_outcome_unknown',
      (response: ServerResponse) => response.socket?.resetAndDestroy(),
    ],
    [
      'the finished image',
      'completed',
      'upstream_invalid_response',
      (response: ServerResponse) => response.end('" what\n\n'),
    ],
  ])(
    'an error in the middle of %s (%s, %s) is an APIError, and the truncated image is no event',
    async (_, type, code, breakOff) => {
      const seen = Promise.withResolvers<void>();
      const { upstream, gateway } = await startWith(async (response) => {
        const name = `image_generation.${type}`;
        response.write(
          `event: ${name}\ndata: {"type":"${name}","b64_json":"${tinyPng.slice(0, 88)}${'AAAA'.repeat(20_000)}`,
        );
        await seen.promise;
        breakOff(response);
      });
      void gatewayHasBegun(gateway).then(seen.resolve);
      const { events, error } = await readAll(gateway.url, { partial_images: 1 });
      expect(events).toEqual([]);
      expect(error).toBeInstanceOf(APIError);
      expect(error).toMatchObject({ code, type: 'server_error' });
      expect(upstream.received).toBe(1);
      await expect.poll(() => requestLines(gateway), patience).toMatchObject([{ images: 0, error: { kind: code } }]);
    },
  );
});

/** The generation's outcome is known, so its response has begun. */
async function gatewayHasBegun({ app }: { app: { gateway: { inFlight: number } } }): Promise<void> {
  await expect.poll(() => app.gateway.inFlight, patience).toBe(1);
  await wait(50);
}

describe('the text of a stream', () => {
  const plain = (name: string, members: Record<string, unknown>) => eventText(`image_generation.${name}`, members);

  test('name, one line of data and an empty line for each event, and nothing else', async () => {
    const partialImage = { b64_json: tinyPng, created_at: 7, ...facts, partial_image_index: 0 };
    const image = { b64_json: tinyPng, created_at: 8, ...facts, usage };
    const { gateway } = await startWith(
      `: hello\n\n${partial(partialImage)}${completed({ ...image, secret: 1 })}data: [DONE]\n\n`,
    );
    const response = await callGateway(gateway.url, { prompt: 'a cat', stream: true, partial_images: 1 });
    expect(response.text).toBe(plain('partial_image', partialImage) + plain('completed', image));
  });

  test('the headers keep proxies from collecting, changing and storing it', async () => {
    const { gateway } = await startWith(completed({ b64_json: tinyPng, created_at: 8 }));
    const headers = { 'accept-encoding': 'gzip, br, zstd' };
    const response = await callGateway(gateway.url, { prompt: 'a cat', stream: true }, { headers });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-request-id': expect.stringMatching(/^[\w-]+$/),
      'x-gateway-model': 'image',
      'x-gateway-attempts': '1',
    });
    expect([response.headers.get('content-encoding'), response.headers.get('content-length')]).toEqual([null, null]);
  });

  test('what the upstream did not say is what was requested, or what is seen', async () => {
    const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
    const { gateway } = await startWith(completed({ b64_json: jpeg.toString('base64') }));
    const requested = { prompt: 'a cat', size: '1024x1536', background: 'opaque' };
    const { events } = await streamGateway(gateway.url, requested);
    expect(events[0]?.data).toMatchObject({
      size: '1024x1536',
      quality: 'auto',
      background: 'opaque',
      output_format: 'jpeg',
      created_at: expect.any(Number),
    });
    expect(events[0]?.data).not.toHaveProperty('usage');
  });

  test('an error after a partial image is an event with the same nested body as an error response', async () => {
    const { gateway } = await startWith(
      partial({ b64_json: tinyPng, created_at: 7, ...facts, partial_image_index: 0 }) +
        eventText('error', { error: { code: 'contentFilter', message: 'secret details' } }),
    );
    const { events, text } = await streamGateway(gateway.url, { prompt: 'a cat', partial_images: 1 });
    expect(events.map(inWords)).toEqual(['partial 0', 'error content_policy_violation']);
    expect(events[1]?.data).toEqual({
      error: {
        message: expect.stringMatching(/\S/),
        type: 'image_generation_user_error',
        param: null,
        code: 'content_policy_violation',
      },
    });
    expect(text).not.toContain('secret details');
    await expect.poll(() => requestLines(gateway), patience).toMatchObject([{ status: 200, images: 0 }]);
  });
});

describe('models that cannot stream', () => {
  test.each([
    [
      'dall-e-3',
      { size: '1792x1024', quality: 'hd' },
      { quality: 'hd', revised_prompt: expect.stringContaining('a cat') },
    ],
    ['dall-e-2', { size: '256x256' }, { quality: 'standard' }],
  ])(
    '%s: one completed event when the image is there, partial images are reported as left out',
    async (model, requested, reported) => {
      const rig = await startRig();
      const call = { model, prompt: 'a cat', ...requested, partial_images: 3 };
      const { events, headers } = await streamGateway(rig.url, call);
      expect(events.map(inWords)).toEqual(['completed']);
      const { b64_json = '', ...data } = events[0]?.data ?? {};
      expect(data).toEqual({
        type: 'image_generation.completed',
        created_at: expect.any(Number),
        background: 'opaque',
        output_format: 'png',
        size: requested.size,
        ...reported,
      });
      const { width, height } = await sharp(Buffer.from(b64_json, 'base64')).metadata();
      expect(`${width}x${height}`).toBe(requested.size);
      expect(headers.get('x-gateway-adapted')).toBe('stream=completed-only, partial_images=removed');
      expect(rig.paidPosts()).toHaveLength(1);
      expect(rig.paidPosts()[0]?.body).not.toHaveProperty('stream');
      expect(rig.paidPosts()[0]?.body).not.toHaveProperty('partial_images');
    },
  );

  test('dall-e-3, whose call fails: an ordinary error', async () => {
    const { url } = await startRig();
    const { status, json } = await streamGateway(url, { model: 'dall-e-3', prompt: 'simulate:filter-policy' });
    expect([status, json().error.code]).toEqual([400, 'content_policy_violation']);
  });
});

describe('several images in one stream', () => {
  test.each([
    ['image', { partial_images: 1 }, ['partial 0', 'completed']],
    ['image', {}, ['completed']],
    ['studio/poster', { partial_images: 2 }, ['partial 0', 'partial 1', 'completed']],
    ['dall-e-3', {}, ['completed']],
  ])(
    '%s with %o, n 4: one image after the other, four paid calls of one image each',
    async (model, requested, each) => {
      const rig = await startRig();
      const { events, headers } = await streamGateway(rig.url, { model, prompt: 'a cat', n: 4, ...requested });
      expect(events.map(inWords)).toEqual([...each, ...each, ...each, ...each]);
      expect(headers.get('x-gateway-adapted')).toContain('n=fan-out');
      expect(headers.get('x-gateway-attempts')).toBe('4');
      expect(rig.simulator.ledger.counts()).toMatchObject({ billed: 4, images: 4 });
      await expect.poll(() => requestLines(rig), patience).toMatchObject([{ count: 4, images: 4, attempts: 4 }]);
    },
  );

  test('calls that end in another order: their events are not mixed, and keep the order of the calls', async () => {
    const calls: ServerResponse[] = [];
    const arrived = Promise.withResolvers<void>();
    const { gateway } = await startWith(async (response) => {
      calls.push(response);
      if (calls.length === 4) arrived.resolve();
    });
    const reply = streamGateway(gateway.url, { prompt: 'a cat', n: 4, partial_images: 1 });
    await arrived.promise;
    for (const [index, response] of [...calls.entries()].reverse()) {
      response.write(partial({ b64_json: tinyPng, created_at: index + 1, ...facts, partial_image_index: 0 }));
    }
    for (const [index, response] of [...calls.entries()].reverse()) {
      response.end(
        completed({ b64_json: tinyPng, created_at: index + 1, ...facts, usage: { ...usage, total_tokens: index } }),
      );
      await wait(5);
    }
    const { events } = await reply;
    expect(events.map((event) => `${event.data.created_at} ${inWords(event)}`)).toEqual(
      [1, 2, 3, 4].flatMap((call) => [`${call} partial 0`, `${call} completed`]),
    );
    const tokens = events.filter(({ data }) => data.usage).map(({ data }) => data.usage);
    expect(tokens).toEqual([0, 1, 2, 3].map((total_tokens) => ({ ...usage, total_tokens })));
  });

  test('of a deployment that cannot stream: each event reports the usage and facts of its own call', async () => {
    let calls = 0;
    const upstream = await startUpstream((_request, response) => {
      calls += 1;
      const data = [{ b64_json: tinyPng }];
      response.end(
        JSON.stringify({ created: calls, data, quality: 'low', usage: { ...usage, total_tokens: 100 * calls } }),
      );
    });
    const capabilities = { streams: false, maxCount: 1 };
    const { url } = await startGateway(modelsFile(upstream.origin, 60_000, { capabilities }));
    const { events } = await streamGateway(url, { prompt: 'a cat', n: 2 });
    expect(events.map(inWords)).toEqual(['completed', 'completed']);
    expect(events.map(({ data }) => [data.created_at, data.quality, data.usage])).toEqual([
      [1, 'low', { ...usage, total_tokens: 100 }],
      [2, 'low', { ...usage, total_tokens: 200 }],
    ]);
  });

  test('of one call that cannot stream, whose second image is refused: the first one stays', async () => {
    const upstream = await startUpstream((_request, response) => {
      const filtered = { error: { code: 'contentFilter', message: 'filtered' } };
      response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }, filtered] }));
    });
    const { url } = await startGateway(modelsFile(upstream.origin, 60_000, { capabilities: { streams: false } }));
    const { events } = await streamGateway(url, { prompt: 'a cat', n: 2 });
    expect(events.map(inWords)).toEqual(['completed', 'error content_policy_violation']);
  });

  test('an image that is complete reaches its reader although the next call is still running', async () => {
    const seen = Promise.withResolvers<void>();
    let calls = 0;
    const upstream = await startUpstream(async (_request, response) => {
      calls += 1;
      if (calls > 1) await seen.promise;
      response.end(JSON.stringify({ created: 7, data: [{ b64_json: tinyPng }] }));
    });
    const { url } = await startGateway(modelsFile(upstream.origin, 4_000));
    const stream = await clientOf(url).images.generate({ model: 'dall-e-3', prompt: 'a cat', n: 2, stream: true });
    const types: string[] = [];
    for await (const { type } of stream) {
      types.push(type);
      seen.resolve();
    }
    expect(types).toEqual(['image_generation.completed', 'image_generation.completed']);
  });

  test.each(['dall-e-3', 'image'])('%s: the second call fails, and the image of the first stays', async (model) => {
    const seen = Promise.withResolvers<void>();
    let calls = 0;
    const upstream = await startUpstream(async (_request, response) => {
      calls += 1;
      if (calls === 1) {
        if (model === 'image') response.end(completed({ b64_json: tinyPng, created_at: 7, ...facts }));
        else response.end(JSON.stringify({ created: 7, data: [{ b64_json: tinyPng }] }));
        return;
      }
      await seen.promise;
      response.writeHead(400).end(JSON.stringify({ error: { code: 'content_policy_violation', message: 'no' } }));
    });
    const gateway = await startGateway(modelsFile(upstream.origin));
    const text = await readText(gateway.url, { model, n: 2 }, (soFar) => {
      if (soFar.includes(tinyPng)) seen.resolve();
    });
    const events = readEvents(text);
    expect(events.map(inWords)).toEqual(['completed', 'error content_policy_violation']);
    await expect.poll(() => requestLines(gateway), patience).toMatchObject([{ images: 1 }]);
  });
});

describe('upstreamStream: always', () => {
  const always = { modelKeys: { upstreamStream: 'always' } };

  test.each(['image', 'studio/poster'])(
    '%s: one image comes over the upstream’s stream, and is sent as JSON',
    async (model) => {
      const rig = await startRig(always);
      const response = await callGateway(rig.url, { model, prompt: 'a cat' });
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(response.json()).toMatchObject({
        size: '1024x1024',
        quality: 'high',
        usage: { total_tokens: expect.any(Number) },
      });
      expect(response.json().data.map((item) => Object.keys(item))).toEqual([['b64_json']]);
      const { width } = await sharp(Buffer.from(response.json().data[0]?.b64_json ?? '', 'base64')).metadata();
      expect(width).toBe(1024);
      expect(rig.paidPosts()).toHaveLength(1);
      expect(rig.paidPosts()[0]?.body).toMatchObject({ stream: true, partial_images: 1 });
    },
  );

  test.each([
    ['two images', { n: 2 }],
    ['a model that cannot stream', { model: 'dall-e-3' }],
    ['the legacy model', { model: 'dall-e-2', size: '256x256' }],
  ])('%s: no stream is requested', async (_, body) => {
    const rig = await startRig(always);
    expect((await callGateway(rig.url, { prompt: 'a cat', ...body })).status).toBe(200);
    expect(rig.paidPosts()).toHaveLength(1);
    expect(rig.paidPosts()[0]?.body).not.toHaveProperty('stream');
  });

  test('a caller who wants a stream gets as many partial images as it requested', async () => {
    const rig = await startRig(always);
    const { events } = await streamGateway(rig.url, { prompt: 'a cat' });
    expect(events.map(inWords)).toEqual(['completed']);
    expect(rig.paidPosts()[0]?.body).toEqual({ prompt: 'a cat', stream: true });
  });

  test.each([
    ['stream-error-late', 400, 'moderation_blocked'],
    ['stream-cut', 502, 'upstream_outcome_unknown'],
    ['stream-reset', 502, 'upstream_outcome_unknown'],
    ['empty-data', 502, 'upstream_invalid_response'],
    ['filter-item', 400, 'content_policy_violation'],
  ])('%s: a failure after a partial image, with nothing sent, is an ordinary %i %s', async (name, status, code) => {
    const rig = await startRig(always);
    const response = await callGateway(rig.url, { prompt: `simulate:${name}` });
    expect([response.status, response.json().error.code]).toEqual([status, code]);
    expect(response.headers.get('x-should-retry')).toBe(status === 502 ? 'false' : null);
  });

  test('a stream that falls silent after the partial image is an ordinary 504 at the deadline', async () => {
    const rig = await startRig({ ...always, timeoutMs: 1_500 });
    const response = await callGateway(rig.url, { prompt: 'simulate:stream-stall' });
    expect([response.status, response.json().error.code]).toEqual([504, 'upstream_outcome_unknown']);
  });
});

describe('a reader of a stream', () => {
  async function writeForEver(response: ServerResponse, onWritten: (bytes: number) => void): Promise<void> {
    const piece = Buffer.alloc(64 * 1024, 'A');
    const closed = new Promise((resolve) => response.once('close', resolve));
    response.write(`event: image_generation.completed\ndata: {"b64_json":"${tinyPng.slice(0, 88)}`);
    while (!response.destroyed) {
      if (!response.write(piece))
        await Promise.race([new Promise((resolve) => response.once('drain', resolve)), closed]);
      onWritten(piece.length);
    }
  }

  test.each([
    [
      'between two events',
      (response: ServerResponse) => void response.write(partial({ b64_json: tinyPng, partial_image_index: 0 })),
    ],
    ['amid an image', (response: ServerResponse) => void writeForEver(response, () => {})],
  ])('that disconnects %s: the upstream connection is closed, and it counts as disconnected', async (_, play) => {
    const { upstream, gateway } = await startWith(play);
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ prompt: 'a cat', stream: true, partial_images: 1 }));
    await once(socket, 'data');
    socket.resume();
    expect(gateway.app.gateway.inFlight).toBe(1);
    socket.destroy();
    await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(0);
    await expect.poll(() => upstream.connections, patience).toBe(0);
    await expect
      .poll(() => requestLines(gateway), patience)
      .toMatchObject([{ end: 'disconnected', status: 499, sent: true, level: 30 }]);
  });

  test('that disconnects from a stream of several calls: all of their upstream connections are closed', async () => {
    const { upstream, gateway } = await startWith((response) => {
      response.write(partial({ b64_json: tinyPng, partial_image_index: 0 }));
    });
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ prompt: 'a cat', stream: true, partial_images: 1, n: 4 }));
    await once(socket, 'data');
    socket.resume();
    await expect.poll(() => upstream.connections, patience).toBe(4);
    socket.destroy();
    await expect.poll(() => upstream.connections, patience).toBe(0);
    await expect.poll(() => requestLines(gateway), patience).toMatchObject([{ end: 'disconnected', attempts: 4 }]);
  });

  test('that pauses: the upstream is held back after a few megabytes, and goes on with the reader', async () => {
    let written = 0;
    const { gateway } = await startWith((response) =>
      writeForEver(response, (bytes) => {
        written += bytes;
      }),
    );
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ prompt: 'a cat', stream: true }));
    await once(socket, 'data');
    socket.pause();
    let heldAt = -1;
    while (heldAt !== written) {
      heldAt = written;
      await wait(400);
    }
    // The sockets' own buffers on both sides of the gateway are most of it.
    expect(heldAt).toBeLessThan(32 * 1024 * 1024);
    socket.resume();
    await expect.poll(() => written, patience).toBeGreaterThan(heldAt + 8 * 1024 * 1024);
    socket.destroy();
    await expect.poll(() => gateway.app.gateway.inFlight, patience).toBe(0);
  });
});

describe('signs of life', () => {
  type Stub = {
    readonly url: string;
    readonly resolve: (events: AsyncIterable<ImageEvent>) => void;
    readonly reject: (error: unknown) => void;
  };

  /** An app with one streamed response, whose outcome is known when the test says so. */
  async function startStub(times: { headersMs: number; heartbeatMs: number }): Promise<Stub> {
    const { promise, resolve, reject } = Promise.withResolvers<AsyncIterable<ImageEvent>>();
    promise.catch(() => {});
    const report = {
      id: 'generation',
      model: 'm',
      target: '1',
      provider: 'p',
      asked: {},
      attempts: 1,
      sent: true,
      maxRetries: 2,
      timeoutMs: 60_000,
      queueMs: 0,
      adaptations: [],
      upstreamMs: undefined,
      startedAt: 0,
      knownAt: undefined,
      bill: { cost: 0n, currency: undefined, mayBeMore: false, isEstimate: false },
      costAhead: undefined,
      upstreamRequestId: undefined,
    };
    const { signal } = new AbortController();
    const reader: GenerationReader = { report, events: promise, signal, leave() {}, cancel() {}, settle() {} };
    const app = Fastify();
    app.decorate('lifecycle', { phase: 'ready' as const });
    const counts = { clientRetry: 0, images: 0, bytesOut: 0, bytesIn: 0 };
    const record = { requestId: 'r', method: 'POST', route: '/', startedAt: 0, ...counts };
    app.addHook('onRequest', async (request) => {
      request.record = record;
    });
    const { request: requested } = parseGeneration({ body: { prompt: 'cat', stream: true } });
    app.get('/', (_request, reply) => writeStream(reader, reply, requested, times));
    onTestFinished(() => app.close());
    return { url: await app.listen({ host: '127.0.0.1', port: 0 }), resolve, reject };
  }

  async function* oneImage(pause: () => Promise<void> = async () => {}): AsyncGenerator<ImageEvent> {
    yield { type: 'image', index: 0, isPartial: false };
    yield { type: 'bytes', chunk: Buffer.from(tinyPng.slice(0, 88)) };
    await pause();
    yield { type: 'bytes', chunk: Buffer.from(tinyPng.slice(88)) };
    yield { type: 'image-end', index: 0 };
    yield { type: 'done', created: 7 };
  }

  /** The text so far grows with the stream; `until` settles once it has grown enough. */
  async function read(url: string, until: (text: string) => void): Promise<{ status: number; text: string }> {
    const { statusCode, body } = await request(url);
    let text = '';
    for await (const chunk of body) {
      text += chunk;
      until(text);
    }
    return { status: statusCode, text };
  }

  test('an outcome that lets wait: the headers come before it, and comments until it is there', async () => {
    const stub = await startStub({ headersMs: 20, heartbeatMs: 10 });
    const { status, text } = await read(stub.url, (soFar) => {
      if (soFar === ':\n\n'.repeat(4)) stub.resolve(oneImage());
    });
    expect(status).toBe(200);
    expect(text).toMatch(/^(:\n\n){4,}event: /);
    expect(readEvents(text).map(inWords)).toEqual(['completed']);
  });

  test('a failure after the headers is an error event', async () => {
    const stub = await startStub({ headersMs: 20, heartbeatMs: 10 });
    const { status, text } = await read(stub.url, () => {
      stub.reject(new GatewayError('upstream_timeout', 'It took too long.', { outcome: 'unknown' }));
    });
    expect([status, readEvents(text).map(inWords)]).toEqual([200, ['error upstream_outcome_unknown']]);
  });

  test('a failure before the headers are due is left to the ordinary error response', async () => {
    const stub = await startStub({ headersMs: 60_000, heartbeatMs: 10 });
    stub.reject(new Error('early'));
    const { status, text } = await read(stub.url, () => {});
    expect([status, JSON.parse(text).message]).toEqual([500, 'early']);
  });

  test('within an image there are none, however long it takes', async () => {
    const stub = await startStub({ headersMs: 60_000, heartbeatMs: 5 });
    stub.resolve(oneImage(() => wait(100)));
    const { text } = await read(stub.url, () => {});
    const event = readEvents(text.replace(/^(:\n\n)+|(:\n\n)+$/g, ''));
    expect(event.map(({ data }) => data.b64_json)).toEqual([tinyPng]);
  });
});
