import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { chatTarget, generationsPath, modelsFile, openSocket, rawCall, startUpstream, tinyPng } from './rig.ts';

// What makes the times of docs/performance.md; the times themselves belong to `npm run bench`.

const megabyte = 1024 * 1024;
const made = `${tinyPng.slice(0, 88)}${'AAAA'.repeat(megabyte / 4)}`;
const bytes = Buffer.from(made, 'base64');

const streamOf = (...events: string[]) => events.map((data) => `data: ${data}\n\n`).join('');

const imagesStream = streamOf(
  `{"type":"image_generation.partial_image","partial_image_index":0,"b64_json":"${made}"}`,
  `{"type":"image_generation.completed","b64_json":"${made}"}`,
);

const item = `{"type":"image_generation_call","id":"ig_1","status":"completed","result":"${made}"}`;

const responseStream = streamOf(
  `{"type":"response.image_generation_call.partial_image","partial_image_index":0,"partial_image_b64":"${made}"}`,
  `{"type":"response.output_item.done","item":${item}}`,
  `{"type":"response.completed","response":{"status":"completed","output":[${item}]}}`,
);

type Respond = (request: IncomingMessage, response: ServerResponse) => void;

const images: Respond = (_request, response) => response.end(`{"created":7,"data":[{"b64_json":"${made}"}]}`);
const stream: Respond = (_request, response) => response.end(imagesStream);
const link: Respond = ({ method, headers }, response) =>
  response.end(method === 'GET' ? bytes : `{"created":7,"data":[{"url":"http://${headers.host}/1"}]}`);
const agent: Respond = (_request, response) => response.end(`{"id":"resp_1","status":"completed","output":[${item}]}`);
const agentStream: Respond = (_request, response) => response.end(responseStream);

/** A gateway in front of an upstream that responds with megabytes, which are text from the beginning to the end here. */
async function startBoth(respond: Respond, modelKeys?: Record<string, unknown>): Promise<string> {
  const { origin } = await startUpstream(respond);
  const file = modelsFile(origin, 60_000, modelKeys) as { models: Record<string, object> };
  const artist = chatTarget(origin, { apiKey: 'key', capabilities: { streams: true } });
  return (await startGateway({ ...file, models: { ...file.models, artist } })).url;
}

/** How much text went into, or came out of, one call of `JSON` at most. */
function watchJson(): () => number {
  const parse = vi.spyOn(JSON, 'parse');
  const stringify = vi.spyOn(JSON, 'stringify');
  return () => {
    const texts = [
      ...parse.mock.calls.map(([text]) => text),
      ...stringify.mock.results.map(({ value }) => String(value)),
    ];
    return Math.max(...texts.map(({ length }) => length));
  };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('an image is never parsed as JSON, nor written by it:', () => {
  const edit = { model: 'studio/poster', images: [{ image_url: `data:image/png;base64,${made}` }] };

  test.each<[string, Respond, object, Record<string, unknown>?]>([
    ['base64 that passes', images, {}],
    ['a stream', stream, { stream: true, partial_images: 1 }],
    ['a stream that nobody requested', stream, {}, { upstreamStream: 'always' }],
    ['a link that becomes base64', link, { model: 'dall-e-3', response_format: 'b64_json' }],
    ['the response of an agent', agent, { model: 'artist' }],
    ['the stream of an agent', agentStream, { model: 'artist', stream: true, partial_images: 1 }],
    ['an image to edit', images, edit],
  ])('%s', async (_, respond, members, modelKeys) => {
    const url = await startBoth(respond, modelKeys);
    const path = 'images' in members ? generationsPath.replace('generations', 'edits') : generationsPath;
    const body = JSON.stringify({ prompt: 'a cat', ...members });
    const longest = watchJson();
    const called = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'api-key': gatewayKey },
      body,
    });
    const text = await called.text();
    expect(called.status).toBe(200);
    expect(text).toContain(made);
    expect(longest()).toBeGreaterThan(0);
    expect(longest()).toBeLessThan(10_000);
  });
});

test('of a response that nobody reads, no more is taken from the upstream than fits on the way', async () => {
  const whole = 128 * megabyte;
  const piece = Buffer.alloc(megabyte, 'A');
  let taken = 0;
  const url = await startBoth(async (_request, response) => {
    response.write(`{"created":7,"data":[{"b64_json":"${tinyPng.slice(0, 88)}`);
    while (taken < whole) {
      if (!response.write(piece)) await once(response, 'drain');
      taken += piece.length;
    }
    response.end('"}]}');
  });
  const socket = openSocket(url).pause();
  socket.write(rawCall({ prompt: 'a cat' }));
  let before = -1;
  while (taken === 0 || before < taken) {
    before = taken;
    await wait(500);
  }
  // Two connections' buffers in the kernel, up to 10 MB each, and what the gateway holds.
  expect(taken).toBeLessThan(32 * megabyte);
});
