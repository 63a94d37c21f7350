import type { ServerResponse } from 'node:http';
import OpenAI from 'openai';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { modelsFile, openSocket, rawCall, requestLines, startRig, startUpstream, tinyPng } from './rig.ts';

const patience = { timeout: 60_000 };

const oneImage = (created: number, more: Record<string, unknown> = {}) =>
  JSON.stringify({ created, data: [{ b64_json: tinyPng, revised_prompt: `call ${created}` }], ...more });

const refusal = JSON.stringify({ error: { code: 'content_policy_violation', message: 'no', type: 'x' } });
const failure = JSON.stringify({ error: { code: 'InternalServerError', message: 'no' } });

type Answer = (response: ServerResponse, call: number) => void | Promise<void>;

/** A gateway in front of an upstream that answers its calls, counted from 1, as the test says. */
async function startWith(answer: Answer, modelKeys: Record<string, unknown> = {}) {
  let calls = 0;
  const upstream = await startUpstream((_request, response) => {
    calls += 1;
    response.on('error', () => {});
    return answer(response, calls);
  });
  return { upstream, gateway: await startGateway(modelsFile(upstream.origin, 60_000, modelKeys)) };
}

/** How the paid calls ended, by outcome. */
async function attemptsAt(url: string): Promise<Record<string, number>> {
  const metrics = await (await fetch(`${url}/metrics`, { headers: { 'api-key': gatewayKey } })).text();
  const lines = metrics.matchAll(
    /^gateway_upstream_attempts_total\{provider="[\w-]+",outcome="([\w-]+)",[^}]*\} (\d+)$/gm,
  );
  return Object.fromEntries([...lines].map(([, outcome, count]) => [outcome, Number(count)]));
}

describe('n: 4 for dall-e-3, which makes one image a call', () => {
  test('with the openai package: four images of four paid calls, and one created', async () => {
    const rig = await startRig();
    const client = new OpenAI({ apiKey: gatewayKey, baseURL: `${rig.url}/v1` });
    const request = { model: 'dall-e-3', prompt: 'a cat', n: 4, response_format: 'b64_json' } as const;
    const { data, response } = await client.images.generate(request).withResponse();
    expect(data.data).toHaveLength(4);
    for (const item of data.data ?? []) {
      expect(item.revised_prompt).toContain('a cat');
      expect((await sharp(Buffer.from(item.b64_json ?? '', 'base64')).metadata()).width).toBe(1024);
    }
    expect(Math.abs(data.created - Date.now() / 1000)).toBeLessThan(600);
    expect(data).not.toHaveProperty('usage');
    expect(response.headers.get('x-gateway-attempts')).toBe('4');
    expect(response.headers.get('x-gateway-adapted')).toBe('n=fan-out');
    expect(rig.simulator.ledger.counts()).toMatchObject({ billed: 4, images: 4 });
    expect(rig.paidPosts('a cat').map(({ body }) => body)).toEqual(
      Array(4).fill({ prompt: 'a cat', response_format: 'b64_json' }),
    );
    await expect.poll(() => requestLines(rig), patience).toMatchObject([{ count: 4, images: 4, attempts: 4 }]);
    expect(await attemptsAt(rig.url)).toEqual({ delivered: 4 });
  });

  test('links are merged as well, and each of them works', async () => {
    const { url } = await startRig();
    const { data } = (await callGateway(url, { model: 'dall-e-3', prompt: 'a cat', n: 4 })).json();
    const links = data.map((item) => item.url ?? 'about:blank');
    expect(new Set(links).size).toBe(4);
    const statuses = await Promise.all(links.map(async (link) => (await fetch(link)).status));
    expect(statuses).toEqual([200, 200, 200, 200]);
  });
});

describe('several calls for one request', () => {
  test('their images keep the order of the calls, whichever ends first; created is that of the first', async () => {
    const calls: ServerResponse[] = [];
    const all = Promise.withResolvers<void>();
    const { gateway } = await startWith((response) => {
      if (calls.push(response) === 4) all.resolve();
    });
    const answer = callGateway(gateway.url, { model: 'dall-e-3', prompt: 'a cat', n: 4, response_format: 'b64_json' });
    await all.promise;
    for (const [index, response] of [...calls.entries()].reverse()) {
      response.end(oneImage(index + 1));
      await new Promise((resolve) => response.once('close', resolve));
    }
    const { created, data } = (await answer).json();
    expect(data.map((item) => item.revised_prompt)).toEqual(['call 1', 'call 2', 'call 3', 'call 4']);
    expect(created).toBe(1);
    expect(data.every((item) => item.b64_json === tinyPng)).toBe(true);
  });

  const usageOf = (tokens: number) => ({
    input_tokens: 10 * tokens,
    output_tokens: tokens,
    total_tokens: 11 * tokens,
    input_tokens_details: { text_tokens: 9 * tokens, image_tokens: tokens },
  });

  test('usage is summed, also inside, and facts are told when they are the same for all', async () => {
    const { gateway } = await startWith(
      (response, call) => {
        const usage = usageOf(call);
        response.end(oneImage(call, { usage, size: '1024x1024', quality: call === 1 ? 'low' : 'high' }));
      },
      { capabilities: { maxCount: 1 } },
    );
    const answer = (await callGateway(gateway.url, { prompt: 'a cat', n: 3 })).json();
    expect(answer.usage).toEqual(usageOf(6));
    expect(answer.size).toBe('1024x1024');
    expect(answer).not.toHaveProperty('quality');
  });

  test.each([
    [7, 3, [3, 3, undefined]],
    [6, 3, [3, 3]],
    [10, 10, [10]],
  ])('%i images where a call makes %i are asked for as %o', async (n, maxCount, counts) => {
    const rig = await startRig({ modelKeys: { capabilities: { maxCount } } });
    const answer = await callGateway(rig.url, { prompt: 'a cat', n, size: '1024x1024' });
    expect(answer.json().data).toHaveLength(n);
    const asked = rig.paidPosts().map(({ body }) => (body as { n?: number }).n);
    expect(asked.toSorted()).toEqual(counts);
    expect(rig.simulator.ledger.counts().images).toBe(n);
  });

  test('no more than four run at once', async () => {
    let running = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const { upstream, gateway } = await startWith(async (response, call) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      running -= 1;
      response.end(oneImage(call));
    });
    const answer = callGateway(gateway.url, { model: 'dall-e-3', prompt: 'a cat', n: 10, response_format: 'b64_json' });
    for (const expected of [4, 5, 6, 7, 8, 9, 10, 10, 10, 10]) {
      await expect.poll(() => upstream.received, patience).toBe(expected);
      await expect.poll(() => waiting.length, patience).toBeGreaterThan(0);
      waiting.shift()?.();
    }
    expect((await answer).json().data).toHaveLength(10);
    expect(most).toBe(4);
    expect(upstream.received).toBe(10);
  });

  test('a caller that leaves: all calls are closed, and no further one is started', async () => {
    const { upstream, gateway } = await startWith(() => {});
    const socket = openSocket(gateway.url);
    socket.write(rawCall({ model: 'dall-e-3', prompt: 'a cat', n: 10 }));
    await expect.poll(() => upstream.received, patience).toBe(4);
    socket.destroy();
    await expect.poll(() => upstream.connections, patience).toBe(0);
    await expect.poll(() => requestLines(gateway), patience).toMatchObject([{ end: 'disconnected', attempts: 4 }]);
    expect(await attemptsAt(gateway.url)).toEqual({ abandoned: 4 });
    expect(upstream.received).toBe(4);
  });
});

describe('one of several calls that fails', () => {
  const ask = { model: 'dall-e-3', prompt: 'a cat', response_format: 'b64_json' };

  test.each([
    [500, failure, 502, 'upstream_generation_failed', 'failed'],
    [400, refusal, 400, 'content_policy_violation', 'refused'],
    [429, '{}', 429, 'rate_limit_exceeded', 'not-processed'],
    [502, '<html>', 502, 'upstream_outcome_unknown', 'unknown'],
  ])(
    'with %i: all or nothing, the others are given up, and none is started after it',
    async (upstreamStatus, body, status, code, outcome) => {
      const failing = Promise.withResolvers<void>();
      const { upstream, gateway } = await startWith(async (response, call) => {
        if (call === 4) failing.resolve();
        if (call !== 2) return;
        await failing.promise;
        response.writeHead(upstreamStatus).end(body);
      });
      const answer = await callGateway(gateway.url, { ...ask, n: 10 });
      expect([answer.status, answer.json().error.code]).toEqual([status, code]);
      expect(answer.headers.get('x-should-retry')).toBe(status === 400 ? null : 'false');
      expect(answer.headers.get('x-gateway-attempts')).toBe('4');
      await expect.poll(() => upstream.connections, patience).toBe(0);
      expect(upstream.received).toBe(4);
      expect(gateway.app.gateway.inFlight).toBe(0);
      expect(await attemptsAt(gateway.url)).toEqual({ [outcome]: 1, abandoned: 3 });
    },
  );

  test('after others have answered: their images are not sent', async () => {
    const { upstream, gateway } = await startWith((response, call) => {
      if (call < 4) response.end(oneImage(call));
      else response.writeHead(500).end(failure);
    });
    const answer = await callGateway(gateway.url, { ...ask, n: 4 });
    expect([answer.status, answer.json().error.code]).toEqual([502, 'upstream_generation_failed']);
    expect(answer.text).not.toContain(tinyPng);
    await expect.poll(() => upstream.connections, patience).toBe(0);
    expect(await attemptsAt(gateway.url)).toEqual({ abandoned: 3, failed: 1 });
  });

  const deliver = { partialSuccess: 'deliver' };

  test('with partialSuccess deliver: the others’ images are delivered in order', async () => {
    const all = Promise.withResolvers<void>();
    const { upstream, gateway } = await startWith(async (response, call) => {
      if (call === 4) all.resolve();
      await all.promise;
      if (call === 2) response.writeHead(400).end(refusal);
      else response.end(oneImage(call));
    }, deliver);
    const answer = await callGateway(gateway.url, { ...ask, n: 5 });
    expect(answer.status).toBe(200);
    expect(answer.json().data.map((item) => item.revised_prompt)).toEqual(['call 1', 'call 3', 'call 4', 'call 5']);
    expect(answer.headers.get('x-gateway-attempts')).toBe('5');
    expect(upstream.received).toBe(5);
    await expect.poll(() => attemptsAt(gateway.url), patience).toEqual({ delivered: 4, refused: 1 });
    expect(requestLines(gateway)[0]).toMatchObject({ count: 5, images: 4, attempts: 5 });
  });

  test('with partialSuccess deliver, when all fail: the first one’s error', async () => {
    const all = Promise.withResolvers<void>();
    const { gateway } = await startWith(async (response, call) => {
      if (call === 3) all.resolve();
      await all.promise;
      if (call === 1) response.writeHead(400).end(refusal);
      else response.writeHead(500).end(failure);
    }, deliver);
    const answer = await callGateway(gateway.url, { ...ask, n: 3 });
    expect([answer.status, answer.json().error.code]).toEqual([400, 'content_policy_violation']);
    expect(await attemptsAt(gateway.url)).toEqual({ refused: 1, failed: 2 });
  });

  test.each(['dall-e-3', 'image'])(
    'in a stream of %s with partialSuccess deliver: the others’ events follow',
    async (model) => {
      const { gateway } = await startWith((response, call) => {
        if (call === 2) response.writeHead(400).end(refusal);
        else response.end(oneImage(call));
      }, deliver);
      const answer = await callGateway(gateway.url, { prompt: 'a cat', model, n: 3, stream: true });
      expect(answer.text.match(/^event: .*$/gm)).toEqual(Array(2).fill('event: image_generation.completed'));
    },
  );

  test('in the middle of its image, after the first byte: the transfer is truncated and counted as such', async () => {
    const { gateway } = await startWith((response, call) => {
      if (call === 1) response.end(oneImage(call));
      else response.write(oneImage(call).slice(0, 120), () => setTimeout(() => response.socket?.end(), 50));
    });
    await expect(callGateway(gateway.url, { ...ask, n: 2 })).rejects.toThrow();
    await expect.poll(() => requestLines(gateway), patience).toMatchObject([{ end: 'truncated', attempts: 2 }]);
    expect(Object.keys(await attemptsAt(gateway.url))).not.toContain('not-processed');
  });
});

test('a strict model that makes one image a call refuses n 2, and nothing is sent', async () => {
  const rig = await startRig({ modelKeys: { parameters: 'strict' } });
  const answer = await callGateway(rig.url, { model: 'dall-e-3', prompt: 'a cat', n: 2 });
  expect([answer.status, answer.json().error.param]).toEqual([400, 'n']);
  expect(rig.paidPosts()).toEqual([]);
});
