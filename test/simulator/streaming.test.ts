import { on, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import sharp from 'sharp';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ScenarioDescription, scenarios } from '../../simulator/scenarios.ts';
import { type Caller, json, openCaller, postOverSocket, type ReceivedResponse, readToEnd } from './call-simulator.ts';
import { type ReadEvent, readEvents } from './read-events.ts';
import { sizeOf } from './size-of.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller();
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const [partial, completed] = ['image_generation.partial_image', 'image_generation.completed'];
const v1 = '/openai/v1/images/generations';

const stream = (scenario: string, members = {}) =>
  caller.generate(`gpt-image-2--${scenario}`, { prompt: 'a cat', stream: true, partial_images: 2, ...members });

const streamOverSocket = (scenario: string, members = {}) =>
  postOverSocket(caller.simulator.origin, `gpt-image-2--${scenario}`, { stream: true, partial_images: 2, ...members });

const namesOf = (events: readonly ReadEvent[]) => events.map(({ name }) => name);
const namesIn = (response: ReceivedResponse) => namesOf(readEvents(response.bytes));
const valuesIn = (response: ReceivedResponse) => readEvents(response.bytes).map(({ data }) => JSON.parse(data));
const imagesIn = (response: ReceivedResponse): string[] => valuesIn(response).map(({ b64_json }) => b64_json);

/** Reads a socket until the last chunk of a chunked body, and leaves the connection open. */
async function readChunked(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of on(socket, 'data')) {
    text += chunk[0].toString('latin1');
    if (text.endsWith('\r\n0\r\n\r\n')) break;
  }
  return text;
}

/** The same images as without a scenario, in the same order. */
async function expectDefaultImages(response: ReceivedResponse) {
  expect(imagesIn(response)).toEqual(imagesIn(await stream('none')));
}

describe('a stream', () => {
  test('is partial images, then the finished one, then its end', async () => {
    const response = await stream('none', { partial_images: 3, size: '1536x1024', quality: 'low' });
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-ms-deployment-name': 'gpt-image-2--none',
      'apim-request-id': expect.any(String),
    });
    expect(namesIn(response)).toEqual([partial, partial, partial, completed]);
    const values = valuesIn(response);
    const echo = { size: '1536x1024', quality: 'low', background: 'opaque', output_format: 'png' };
    for (const [index, value] of values.slice(0, 3).entries()) {
      expect(value).toEqual({
        type: partial,
        b64_json: expect.any(String),
        created_at: expect.any(Number),
        ...echo,
        partial_image_index: index,
      });
    }
    expect(values[3]).toEqual({
      type: completed,
      b64_json: expect.any(String),
      created_at: expect.any(Number),
      ...echo,
      usage: {
        total_tokens: 6446,
        input_tokens: 2,
        output_tokens: 6444,
        input_tokens_details: { text_tokens: 2, image_tokens: 0 },
      },
    });
    for (const { b64_json } of values) expect(await sizeOf(b64_json)).toBe('png 1536x1024');
    expect(new Set(values.map(({ b64_json }) => b64_json)).size).toBe(4);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 1, images: 1, received: 1 });
  });

  test('is written as Azure does: name, one line of data, an empty line, no [DONE]', async () => {
    const text = (await stream('none', { partial_images: 1 })).bytes.toString();
    expect(text).toMatch(
      /^event: image_generation\.partial_image\ndata: \{"type":"image_generation\.partial_image","b64_json":"[\w+/=]+","created_at":\d+,.*"partial_image_index":0\}\n\nevent: image_generation\.completed\ndata: .*\n\n$/,
    );
  });

  test.each([
    [{ partial_images: undefined }, 0],
    [{ partial_images: 0 }, 0],
    [{ partial_images: 1 }, 1],
    [{ partial_images: 1, n: 1 }, 1],
  ])('with %j has as many partial images as requested', async (members, count) => {
    const response = await stream('none', members);
    expect(namesIn(response)).toEqual([...Array(count).fill(partial), completed]);
    expect(valuesIn(response).at(-1).usage.output_tokens).toBe(4096 + 100 * count);
  });

  test('ends with the very image that comes without stream', async () => {
    const whole = json(await caller.generate('gpt-image-2', { prompt: 'a cat' }));
    expect(imagesIn(await stream('none')).at(-1)).toBe(whole.data[0].b64_json);
  });

  test('becomes finer with each image', async () => {
    const madeImages = imagesIn(await stream('none', { partial_images: 3 }));
    const raw = await Promise.all(madeImages.map((made) => sharp(Buffer.from(made, 'base64')).raw().toBuffer()));
    const finished = raw.at(-1) ?? Buffer.alloc(0);
    const distances = raw.map((bytes) =>
      bytes.reduce((sum, value, at) => sum + Math.abs(value - (finished[at] ?? 0)), 0),
    );
    expect(distances).toEqual(distances.toSorted((one, other) => other - one));
    expect(distances.at(-1)).toBe(0);
  });

  test('makes jpeg, and transparent png', async () => {
    for (const made of imagesIn(await stream('none', { output_format: 'jpeg' }))) {
      expect(await sizeOf(made)).toBe('jpeg 1024x1024');
    }
    for (const made of imagesIn(await stream('none', { background: 'transparent' }))) {
      expect((await sharp(Buffer.from(made, 'base64')).stats()).isOpaque).toBe(false);
    }
  });

  test('is on the v1 path, too', async () => {
    const members = { model: 'gpt-image-2-mine', prompt: 'a cat', stream: true, partial_images: 1 };
    expect(namesIn(await caller.call('POST', v1, members))).toEqual([partial, completed]);
    expect(caller.simulator.ledger.counts().billedByFlow).toEqual({ 'azure-v1': 1 });
  });

  test('of two images is refused in the words of Azure, and costs nothing', async () => {
    const response = await stream('none', { n: 2 });
    expect([response.status, json(response)]).toEqual([
      400,
      {
        error: {
          message: 'Streaming is only supported with n=1.',
          type: 'image_generation_user_error',
          param: 'input',
          code: 'unsupported_parameter',
        },
      },
    ]);
    expect(caller.simulator.ledger.counts().billed).toBe(0);
  });

  test('pauses between its events, and begins with its headers', async () => {
    const slow = await openCaller({ partialMs: 120 });
    try {
      const dispatcher = new Agent();
      const path = '/openai/deployments/gpt-image-2/images/generations?api-version=preview';
      const body = JSON.stringify({ prompt: 'a cat', stream: true, partial_images: 1 });
      const headers = { 'api-key': 'test-key', 'content-type': 'application/json' };
      const response = await request(`${slow.simulator.origin}${path}`, { dispatcher, method: 'POST', headers, body });
      const beganAt = performance.now();
      await response.body.arrayBuffer();
      expect(performance.now() - beganAt).toBeGreaterThan(80);
      await dispatcher.close();
    } finally {
      await slow.close();
    }
  });

  test('leaves its connection to the next call', async () => {
    const socket = streamOverSocket('none');
    await readChunked(socket);
    socket.write('GET /simulator/ledger HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n');
    expect((await readToEnd(socket)).text).toContain('"billed":1');
  });
});

describe('scenarios of streams', () => {
  test('stream-error-nested refuses before any image, and bills nothing', async () => {
    const response = await stream('stream-error-nested');
    expect([response.status, namesIn(response)]).toEqual([200, ['error']]);
    const [{ error }] = valuesIn(response);
    expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
    expect(error).toMatchObject({ code: 'moderation_blocked', type: 'image_generation_user_error' });
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 1 });
  });

  test('stream-error-flat says the same in the flat shape', async () => {
    const response = await stream('stream-error-flat');
    expect([response.status, namesIn(response)]).toEqual([200, ['error']]);
    expect(valuesIn(response)).toEqual([{ type: 'error', code: 'moderation_blocked', message: expect.any(String) }]);
    expect(caller.simulator.ledger.counts().billed).toBe(0);
  });

  test('stream-error-late refuses the output after one partial image, which is billed', async () => {
    const response = await stream('stream-error-late');
    expect(namesIn(response)).toEqual([partial, 'error']);
    expect(valuesIn(response)[1].error.moderation_details.moderation_stage).toBe('output');
    expect(caller.simulator.ledger.counts().billed).toBe(1);
  });

  test('stream-cut ends as if it were complete, and is billed', async () => {
    const socket = streamOverSocket('stream-cut');
    expect(await readChunked(socket)).toMatch(/\n\n\r\n0\r\n\r\n$/);
    socket.destroy();
    expect(namesIn(await stream('stream-cut'))).toEqual([partial]);
    expect(namesIn(await stream('stream-cut', { partial_images: 0 }))).toEqual([]);
    expect(caller.simulator.ledger.counts().billedByScenario).toEqual({ 'stream-cut': 3 });
  });

  test('stream-reset sends one partial image and resets', async () => {
    const { text, end } = await readToEnd(streamOverSocket('stream-reset'));
    expect(text).toContain('"partial_image_index":0}');
    expect(text).not.toContain('"partial_image_index":1}');
    expect(end).toBe('ECONNRESET');
    expect(caller.simulator.ledger.counts().billed).toBe(1);
  });

  test.each(['stream-stall', 'stream-stall-comments'])('%s lasts until the client disconnects', async (scenario) => {
    const socket = streamOverSocket(scenario);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    await expect.poll(() => text.includes('"partial_image_index":0}')).toBe(true);
    if (scenario === 'stream-stall-comments')
      await expect.poll(() => text.split(': keep-alive').length).toBeGreaterThan(5);
    expect([text.includes('"partial_image_index":1}'), socket.readableEnded]).toEqual([false, false]);
    socket.destroy();
    await once(socket, 'close');
    expect(caller.simulator.ledger.counts().billed).toBe(1);
  });

  test('stream-stall sends its headers even when no partial image was requested', async () => {
    const socket = streamOverSocket('stream-stall', { partial_images: 0 });
    const [first] = await once(socket, 'data');
    expect(first.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n.*text\/event-stream.*\r\n\r\n$/s);
    socket.destroy();
  });

  test('stream-json responds as if no stream was requested', async () => {
    const response = await stream('stream-json');
    expect(response.headers['content-type']).toContain('application/json');
    expect(await sizeOf(json(response).data[0].b64_json)).toBe('png 1024x1024');
    expect(json(response).usage.output_tokens).toBe(4096);
  });

  test.each([
    ['stream-crlf', /^event: .*\r\ndata: .*\r\n\r\nevent: /, /[^\r]\n|\r[^\n]/],
    ['stream-cr', /^event: .*?\rdata: .*?\r\revent: /, /\n/],
  ])('%s ends its lines so', async (scenario, pattern, forbidden) => {
    const response = await stream(scenario);
    expect(response.bytes.toString()).toMatch(pattern);
    expect(response.bytes.toString()).not.toMatch(forbidden);
    expect(namesIn(response)).toEqual([partial, partial, completed]);
    await expectDefaultImages(response);
  });

  test('stream-comments says much that is no event', async () => {
    const response = await stream('stream-comments');
    const text = response.bytes.toString();
    expect(text.match(/^:/gm)?.length).toBeGreaterThan(300);
    expect(text.match(/^event: image_generation\.completed\n\n/gm)).toHaveLength(4);
    expect(namesIn(response)).toEqual([partial, partial, completed]);
    await expectDefaultImages(response);
  });

  test('stream-bom begins with the mark', async () => {
    const response = await stream('stream-bom');
    expect(response.bytes.subarray(0, 9).toString('hex')).toBe(`efbbbf${Buffer.from('event:').toString('hex')}`);
    await expectDefaultImages(response);
  });

  test('stream-no-event-names has the names in the data only', async () => {
    const response = await stream('stream-no-event-names');
    expect(namesIn(response)).toEqual(['', '', '']);
    expect(valuesIn(response).map(({ type }) => type)).toEqual([partial, partial, completed]);
  });

  test('stream-split cuts everywhere, within a character too, in the same way each time', async () => {
    const pieces = async () => {
      const socket = streamOverSocket('stream-split');
      const text = await readChunked(socket);
      socket.destroy();
      return [...text.matchAll(/\r\n([\da-f]+)\r\n/g)].map(([, length = '']) => Number.parseInt(length, 16));
    };
    const lengths = await pieces();
    expect(lengths.filter((length) => length === 1).length).toBeGreaterThan(3000);
    expect(lengths.some((length) => length > 500)).toBe(true);
    expect(await pieces()).toEqual(lengths);
    const response = await stream('stream-split');
    expect(valuesIn(response)[0].note).toBe('Grüße ☃ 😀');
    await expectDefaultImages(response);
  });

  test('stream-done ends with [DONE]', async () => {
    const response = await stream('stream-done');
    expect(response.bytes.toString().endsWith('}\n\ndata: [DONE]\n\n')).toBe(true);
    expect(namesIn(response)).toEqual([partial, partial, completed, '']);
  });

  test('stream-double completes twice, and is billed once', async () => {
    const response = await stream('stream-double');
    expect(namesIn(response)).toEqual([partial, partial, completed, completed]);
    expect(caller.simulator.ledger.counts().images).toBe(1);
  });

  test('stream-unordered sends the indices 2, 0, 1', async () => {
    const response = await stream('stream-unordered', { partial_images: 3 });
    expect(valuesIn(response).map((value) => value.partial_image_index)).toEqual([2, 0, 1, undefined]);
  });

  test.each(['png', 'jpeg'])('stream-big-20 pads the finished %s only', async (format) => {
    const [first = '', , last = ''] = imagesIn(await stream('stream-big-20', { output_format: format }));
    expect(first.length).toBeLessThan(1024 * 1024);
    expect(Buffer.from(last, 'base64').length).toBeGreaterThan(20 * 1024 * 1024);
    expect(await sizeOf(last)).toBe(`${format} 1024x1024`);
  });

  test('stream-unknown-events has other types in between, one with a decoy', async () => {
    const response = await stream('stream-unknown-events', { partial_images: 1 });
    const others = ['ping', 'image_generation.in_progress'];
    expect(namesIn(response)).toEqual([...others, partial, ...others, completed, ...others]);
  });

  test('stream-late-members begins with the image and ends with the type', async () => {
    const response = await stream('stream-late-members');
    for (const value of valuesIn(response)) {
      expect([Object.keys(value)[0], Object.keys(value).at(-1)]).toEqual(['b64_json', 'type']);
    }
    await expectDefaultImages(response);
  });
});

describe('scenarios of all responses, in a stream', () => {
  test.each([
    ['429-seconds', 429, 'exceeded call rate limit'],
    ['500-html', 500, '<html>'],
    ['filter-policy', 400, 'content_policy_violation'],
    ['filter-200-image', 200, '"error"'],
    ['error-in-200', 200, '"error"'],
    ['html-200', 200, '<html>'],
    ['redirect', 307, ''],
  ])('%s responds with %i without a stream', async (scenario, status, text) => {
    const response = await stream(scenario);
    expect(response.status).toBe(status);
    expect(response.headers['content-type'] ?? '').not.toContain('event-stream');
    expect(response.bytes.toString()).toContain(text);
  });

  test.each(['slow-20', 'slow-body-20'])('%s is complete in the end', async (scenario) => {
    expect(namesIn(await stream(scenario))).toEqual([partial, partial, completed]);
  });

  test.each([
    ['text-plain', 'text/plain'],
    ['octet-stream', 'application/octet-stream'],
  ])('%s is the right stream called %s', async (scenario, contentType) => {
    const response = await stream(scenario);
    expect(response.headers['content-type']).toContain(contentType);
    await expectDefaultImages(response);
  });

  test('hang never responds, and is billed', async () => {
    const socket = streamOverSocket('hang');
    await expect.poll(() => caller.simulator.ledger.counts().billed).toBe(1);
    expect(socket.bytesRead).toBe(0);
    socket.destroy();
  });

  test('reset-before-headers sends nothing at all', async () => {
    expect(await readToEnd(streamOverSocket('reset-before-headers'))).toEqual({ text: '', end: 'ECONNRESET' });
  });

  test.each(['truncated-length', 'truncated-chunked', 'truncated-close', 'reset'])(
    '%s breaks off in the stream, and is billed',
    async (scenario) => {
      const { text, end } = await readToEnd(streamOverSocket(scenario));
      expect(text).toContain('content-type: text/event-stream');
      expect(text).not.toContain('"usage"');
      expect(end).toBe(scenario === 'reset' ? 'ECONNRESET' : 'end');
      expect(caller.simulator.ledger.counts().billed).toBe(1);
    },
  );

  test('escaped spreads an event over several lines of data', async () => {
    const response = await stream('escaped');
    expect(readEvents(response.bytes)[0]?.data.split('\n').length).toBeGreaterThan(5);
    await expectDefaultImages(response);
  });

  test('extra-fields adds much that is to be ignored', async () => {
    const response = await stream('extra-fields');
    expect(valuesIn(response)[0].trace.data[0].b64_json).toBeTypeOf('string');
    await expectDefaultImages(response);
  });

  test('big pads the finished image', async () => {
    expect(imagesIn(await stream('big-3')).at(-1)?.length).toBeGreaterThan(4 * 1024 * 1024);
  });

  test('not-an-image sends texts', async () => {
    for (const made of imagesIn(await stream('not-an-image'))) {
      await expect(sharp(Buffer.from(made, 'base64')).metadata()).rejects.toThrow();
    }
  });

  test('url-item completes with a link that works', async () => {
    const last = valuesIn(await stream('url-item')).at(-1);
    expect(last.b64_json).toBeUndefined();
    expect((await caller.call('GET', last.url, undefined, {})).headers['content-type']).toBe('image/png');
  });

  test('empty-data completes without an image, no-created without a time', async () => {
    expect(valuesIn(await stream('empty-data')).at(-1)).not.toHaveProperty('b64_json');
    for (const value of valuesIn(await stream('no-created'))) expect(value).not.toHaveProperty('created_at');
  });

  test('filter-item ends with an error in place of the image', async () => {
    const response = await stream('filter-item');
    expect(namesIn(response)).toEqual([partial, partial, 'error']);
    expect(valuesIn(response)[2].error.code).toBe('contentFilter');
  });
});

test('every scenario of streams has been given a test here, and is billed as the table says', async () => {
  const source = await readFile(import.meta.filename, 'utf8');
  const table: readonly ScenarioDescription[] = scenarios;
  const ofStreams = table.filter(({ reach }) => reach === 'stream');
  expect(ofStreams.filter(({ name }) => !source.includes(`'${name}`))).toEqual([]);
  const quick = ofStreams.filter(({ name }) => !/stall|reset|big/.test(name));
  for (const { name } of quick) expect((await stream(name, { partial_images: 0 })).status).toBe(200);
  const billed = quick.filter((row) => row.billed).map(({ name }) => [name, 1]);
  expect(caller.simulator.ledger.counts().billedByScenario).toEqual(Object.fromEntries(billed));
});
