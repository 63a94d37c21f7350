import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { InputStore, OpenInputStore } from '../../src/domain/image-input.ts';
import { asGatewayError } from '../../src/http/error-response.ts';
import { ImagesEventStream } from '../../src/http/surfaces/openai-images/write-stream.ts';
import { streamEvents } from '../../src/providers/azure/image-stream.ts';
import { waitForOutcome } from '../../src/providers/azure/read-response.ts';
import { createTemporaryInputStores } from '../../src/storage/temporary-input-store.ts';
import { temporaryDirectory } from '../end-to-end/edits.ts';
import { asStream, cut, type Handwriting, handwriting, writeJson } from '../helpers/json-text.ts';
import { providerCall } from '../helpers/provider-call.ts';

const call = providerCall({ attempt: { sent: true } });
const megabyte = 1024 * 1024;
const asked = { size: '1024x1024', quality: 'low' };
const noSpool = (): InputStore => {
  throw new Error('nothing here is large enough for a spool');
};

type Told = { readonly name: string; readonly data: Record<string, unknown> };

/** An upstream's stream on its whole way: split, mapped, committed, and written as our stream. */
async function throughTheGateway(
  chunks: readonly Buffer[] | AsyncIterable<Buffer>,
  count = 1,
  openInputs: OpenInputStore = noSpool,
): Promise<Told[]> {
  const events = await waitForOutcome(
    streamEvents(Array.isArray(chunks) ? asStream(chunks) : (chunks as AsyncIterable<Buffer>), count, call, openInputs),
  );
  const toError = (error: unknown) => asGatewayError(error, 'id');
  const stream = new ImagesEventStream(events, { operation: 'generate', asked, written: { images: 0 }, toError });
  const text = Buffer.concat((await Array.fromAsync(stream.text())).map((piece) => Buffer.from(piece))).toString();
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map(readEvent);
}

/** Our own events are exactly one name, one line of data; an image's event that became an error has a second name. */
function readEvent(text: string): Told {
  const [first, data, second] = text.split('\n');
  const name = (second ?? first)?.replace('event: ', '') ?? '';
  return { name, data: JSON.parse((data as string).replace('data: ', '')) };
}

const png = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0d', 'latin1');
const image = fc.uint8Array({ maxLength: 200 }).map((rest) => Buffer.concat([png, rest]).toString('base64'));
const text = fc.string({ minLength: 1 });
const usage = fc.record({ input_tokens: fc.nat(), output_tokens: fc.nat(), total_tokens: fc.nat() });
const members = {
  b64_json: image,
  created_at: fc.integer({ min: 1 }),
  size: text,
  quality: text,
  background: text,
  output_format: text,
};
const partials = fc.array(fc.record(members), { maxLength: 3 });
const completed = fc.record({ ...members, usage });
const generation = (kind: string) => `image_generation.${kind}`;

/** One upstream event in a random hand: with or without its name, comments, other line ends, white space in the JSON. */
function writeEvent(name: string, data: object, hand: Handwriting, end: string): string {
  const json = writeJson({ type: name, ...data }, hand).replaceAll(/[\r\n]/g, ' ');
  // Without its name, the data must say first what it is, or the reader has to hold the image back: both are tried.
  const line = hand.dice() < 0.7 ? `event: ${name}${end}` : '';
  const comment = hand.dice() < 0.3 ? `: alive${end}${end}` : '';
  return `${comment}${line}data:${hand.dice() < 0.5 ? ' ' : ''}${json}${end}${end}`;
}

describe('an image stream on its way through the gateway', () => {
  test('has the same events, however it is written and cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        partials,
        completed,
        fc.constantFrom('\n', '\r\n', '\r'),
        handwriting,
        async (previews, last, end, hand) => {
          const numbered = previews.map((preview, index) => ({ ...preview, partial_image_index: index }));
          const text = [
            ...numbered.map((preview) => writeEvent(generation('partial_image'), preview, hand, end)),
            writeEvent(generation('completed'), last, hand, end),
            ...(hand.dice() < 0.5 ? [`data: [DONE]${end}${end}`] : []),
          ].join('');
          const plain = (value: object) => JSON.parse(JSON.stringify(value));
          expect(await throughTheGateway(cut(Buffer.from(text), hand))).toEqual([
            ...numbered.map((data) => ({
              name: generation('partial_image'),
              data: { type: generation('partial_image'), ...data },
            })),
            { name: generation('completed'), data: plain({ type: generation('completed'), ...last }) },
          ]);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('ends with an error event when it is cut anywhere behind its first image’s beginning', async () => {
    await fc.assert(
      fc.asyncProperty(partials, completed, handwriting, async (previews, last, hand) => {
        const text = [
          ...previews.map((preview) => writeEvent(generation('partial_image'), preview, hand, '\n')),
          writeEvent(generation('completed'), last, hand, '\n'),
        ].join('');
        const whole = Buffer.from(text.trimEnd());
        const prefix = whole.subarray(0, Math.floor(hand.dice() * whole.length));
        const told = await throughTheGateway(cut(prefix, hand)).catch((error) => error);
        if (Array.isArray(told))
          expect(told.at(-1)).toMatchObject({ name: 'error', data: { error: { code: 'upstream_outcome_unknown' } } });
        else expect(told).toMatchObject({ outcome: 'unknown' });
      }),
      { numRuns: 1000 },
    );
  });

  const first = `event: image_generation.partial_image\ndata: {"b64_json":"${png.toString('base64')}","partial_image_index":0}\n\n`;
  const final = `data: {"type":"image_generation.completed","b64_json":"${png.toString('base64')}"}\n\n`;
  const refusal = '"code":"moderation_blocked","message":"Your request was rejected"';

  test.each([
    ['flat', `event: error\ndata: {"type":"error",${refusal}}\n\n`],
    ['flat, without a name', `data: {"type":"error",${refusal}}\n\n`],
    ['nested', `event: error\ndata: {"error":{${refusal}}}\n\n`],
    ['nested, without a name', `data: {"error":{${refusal}}}\n\n`],
  ])('is judged by the code of its error event: %s', async (_form, event) => {
    const refused = { kind: 'moderation_blocked', outcome: 'refused' };
    await expect(throughTheGateway([Buffer.from(event)])).rejects.toMatchObject(refused);
    const told = await throughTheGateway([Buffer.from(first + event)]);
    expect(told.map(({ name }) => name)).toEqual(['image_generation.partial_image', 'error']);
    expect(told.at(-1)?.data).toMatchObject({ error: { code: 'moderation_blocked' } });
  });

  test('ends with an error event when fewer images come than were asked for', async () => {
    const told = await throughTheGateway([Buffer.from(final)], 2);
    expect(told.map(({ name }) => name)).toEqual(['image_generation.completed', 'error']);
  });

  test('ends with an error event when a preview is an image and the final one is not', async () => {
    const told = await throughTheGateway([
      Buffer.from(`${first}data: {"type":"image_generation.completed","b64_json":""}\n\n`),
    ]);
    expect(told.at(-1)).toMatchObject({ name: 'error', data: { error: { code: 'upstream_invalid_response' } } });
  });

  test('is judged by the error of a failed event', async () => {
    const event = `event: image_generation.failed\ndata: {"error":{${refusal}}}\n\n`;
    await expect(throughTheGateway([Buffer.from(event)])).rejects.toMatchObject({ kind: 'moderation_blocked' });
  });

  test('skips events of other types, and whatever follows the last image', async () => {
    const other = 'event: image_generation.queued\ndata: {"b64_json":"AAAA"}\n\ndata: 7\n\ndata: {}\n\n';
    const told = await throughTheGateway([Buffer.from(other + final + other + final)]);
    expect(told.map(({ name }) => name)).toEqual(['image_generation.completed']);
  });

  test('gives as many images as were asked for', async () => {
    expect(await throughTheGateway([Buffer.from(final + final)], 2)).toHaveLength(2);
  });

  test('fills in what the upstream does not say: from the request, and from the image itself', async () => {
    const [told] = await throughTheGateway([Buffer.from(final)]);
    expect(told?.data).toMatchObject({ size: '1024x1024', quality: 'low', background: 'auto', output_format: 'png' });
  });

  test.each([
    ['a completed event without an image', 'event: image_generation.completed\ndata: {"usage":{}}\n\n'],
    ['an image that is none', 'event: image_generation.completed\ndata: {"b64_json":"aGVsbG8gd29ybGQhIQ=="}\n\n'],
    ['data that is no JSON', 'event: image_generation.completed\ndata: {nonsense}\n\n'],
  ])('is paid and lost when it holds %s', async (_name, text) => {
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
  });
});

describe('an event of an image stream', () => {
  const base64 = png.toString('base64');
  const link = 'https://a.example/b';
  const event = (members: string, name = 'image_generation.completed') => `event: ${name}\ndata: {${members}}\n\n`;
  const whole = event(`"b64_json":"${base64}"`);
  const names = (told: readonly Told[]) => told.map(({ name }) => name.replace('image_generation.', ''));

  test.each([
    ['an empty link', event(`"url":"","b64_json":"${base64}","error":{}`)],
    ['no type', event(`"type":null,"b64_json":"${base64}"`)],
    ['an empty image first', event(`"b64_json":"","error":null,"b64_json":"${base64}"`)],
    ['the name that every event has', event(`"type":"image_generation.completed","b64_json":"${base64}"`, 'message')],
  ])('is its image, whatever says nothing beside it: %s', async (_name, text) => {
    const [told] = await throughTheGateway([Buffer.from(text)]);
    expect(told).toMatchObject({ name: 'image_generation.completed', data: { b64_json: base64 } });
  });

  test.each(['"b64_json":""', '"b64_json":null,"url":""', '"usage":{}'])(
    'is waited for when a completed one before it has no image: %s',
    async (empty) => {
      const told = await throughTheGateway([Buffer.from(event(empty) + whole)]);
      expect(names(told)).toEqual(['completed']);
    },
  );

  test('is skipped when it is partial and has no base64', async () => {
    const partial = event(`"b64_json":"","url":"${link}"`, 'image_generation.partial_image');
    expect(names(await throughTheGateway([Buffer.from(partial + whole)]))).toEqual(['completed']);
  });

  test.each(['"b64_json":"",', '"b64_json":null,', ''])('is its link when that is all it has: %s', async (empty) => {
    const events = streamEvents(asStream([Buffer.from(event(`${empty}"url":"${link}"`))]), 1, call, noSpool);
    expect(await Array.fromAsync(events)).toMatchObject([{ type: 'url', index: 0, url: link }, { type: 'done' }]);
  });

  test('is paid and lost when its link is none of the web', async () => {
    const text = event('"url":"javascript:alert(1)"');
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
  });

  test.each([
    ['with its name', event(`"b64_json":"${base64}","b64_json":"${base64}"`)],
    ['without', `data: {"b64_json":"${base64}","b64_json":"${base64}","type":"image_generation.completed"}\n\n`],
  ])('is refused when it has two images: %s', async (_name, text) => {
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
  });

  const damaged = ['\u0001AAA', '-_AA', 'AA', 'AAB=', '=AAA'];

  test.each(damaged)('is paid and lost before the first byte when its base64 is none: %j', async (end) => {
    for (const text of [
      event(`"b64_json":"${base64}${end}"`),
      `data: {"b64_json":"${base64}${end}","type":"image_generation.completed"}\n\n`,
      event(`"b64_json":"${base64}${end}"`, 'image_generation.partial_image') + whole,
    ]) {
      await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({
        kind: 'upstream_invalid_response',
        outcome: 'unknown',
      });
    }
  });

  test.each(damaged)('becomes an error event when its base64 is none behind what was sent: %j', async (end) => {
    for (const name of ['image_generation.completed', 'image_generation.partial_image']) {
      const body = Buffer.from(event(`"b64_json":"${base64}${end}"`, name) + whole);
      const at = body.indexOf(base64) + base64.length;
      const [told, ...more] = await throughTheGateway([body.subarray(0, at), body.subarray(at)]);
      expect(told).toMatchObject({ name: 'error', data: { error: { code: 'upstream_invalid_response' } } });
      expect([told?.data.b64_json, more]).toEqual([base64, []]);
    }
  });

  test.each([
    ['behind its type', event(`"b64_json":"${base64}","b64_json":"${base64}"`)],
    [
      'before its type',
      `data: {"b64_json":"${base64}","b64_json":"${base64}","type":"image_generation.completed"}\n\n`,
    ],
    [
      'around its type',
      `data: {"b64_json":"${base64}","type":"image_generation.completed","b64_json":"${base64}"}\n\n`,
    ],
  ])('with two images is paid and lost: %s', async (_, text) => {
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({
      kind: 'upstream_invalid_response',
      outcome: 'unknown',
    });
  });

  test('of no interest may hold anything under the name of an image', async () => {
    const decoy = `data: {"b64_json":"no base64","type":"image_generation.queued"}\n\n`;
    expect(names(await throughTheGateway([Buffer.from(decoy + whole)]))).toEqual(['completed']);
  });

  test('has a usage of whole numbers, or none', async () => {
    const usage = { input_tokens: 1, output_tokens: 2.5, total_tokens: 3.5 };
    const [told] = await throughTheGateway([
      Buffer.from(event(`"usage":${JSON.stringify(usage)},"b64_json":"${base64}"`)),
    ]);
    expect(told?.data.usage).toBeUndefined();
  });
});

describe('an image that stands before the type of its event', () => {
  const piece = Buffer.alloc(64 * 1024, 'AAAA');
  const pieces = 256;

  /** 16 MiB of base64, counted as they are asked for. */
  async function* body(type: string, given: (bytes: number) => void): AsyncGenerator<Buffer> {
    yield Buffer.from(`data: {"b64_json":"${png.toString('base64')}`);
    for (let sent = 0; sent < pieces; sent += 1) {
      given(piece.length);
      yield piece;
    }
    yield Buffer.from(`","partial_image_index":0,"type":"image_generation.${type}"}\n\n`);
    yield Buffer.from(`data: {"b64_json":"${png.toString('base64')}","type":"image_generation.completed"}\n\n`);
  }

  /** A spool that counts what has not come to it yet, and what has not left it. */
  class CountingSpool implements InputStore {
    given = 0;
    maxUnstored = 0;
    isReleased = false;
    #chunks: Buffer[] = [];

    async put(bytes: AsyncIterable<Buffer>) {
      let stored = 0;
      for await (const chunk of bytes) {
        this.maxUnstored = Math.max(this.maxUnstored, this.given - stored);
        this.#chunks.push(Buffer.from(chunk));
        stored += chunk.length;
      }
      return { size: stored, sha256: '' };
    }

    open(): AsyncIterable<Buffer> {
      return asStream(this.#chunks);
    }

    read = async () => Buffer.alloc(0);

    async release() {
      this.isReleased = true;
    }
  }

  const spooling = (type: string) => {
    const spool = new CountingSpool();
    const given = (bytes: number) => {
      spool.given += bytes;
    };
    return { spool, chunks: body(type, given), openInputs: () => spool };
  };

  test.each(['completed', 'partial_image'])('waits in a spool, not in memory, and is what it is: %s', async (type) => {
    const { spool, chunks, openInputs } = spooling(type);
    const told = await throughTheGateway(chunks, 1, openInputs);
    expect(told[0]).toMatchObject({ name: `image_generation.${type}` });
    expect(String(told[0]?.data.b64_json)).toHaveLength(png.toString('base64').length + pieces * piece.length);
    expect(told.map(({ name }) => name).at(-1)).toBe('image_generation.completed');
    expect(spool.maxUnstored).toBeLessThanOrEqual(4 * piece.length);
    expect(spool.isReleased).toBe(true);
  });

  test('is forgotten when it is of no interest', async () => {
    const { spool, chunks, openInputs } = spooling('queued');
    expect((await throughTheGateway(chunks, 1, openInputs)).map(({ name }) => name)).toEqual([
      'image_generation.completed',
    ]);
    expect(spool.isReleased).toBe(true);
  });

  test('is let go of when its stream breaks, and its cause is kept', async () => {
    const { spool, chunks, openInputs } = spooling('completed');
    async function* cut() {
      let left = 20;
      for await (const chunk of chunks) {
        if (left === 0) throw new Error('reset');
        left -= 1;
        yield chunk;
      }
    }
    await expect(throughTheGateway(cut(), 1, openInputs)).rejects.toMatchObject({ kind: 'upstream_outcome_unknown' });
    expect(spool.isReleased).toBe(true);
  });

  test('is paid and lost when the disk for spools is full', async () => {
    const { chunks } = spooling('completed');
    const openInputs = createTemporaryInputStores(await temporaryDirectory(), 2 * megabyte);
    const lost = throughTheGateway(chunks, 1, openInputs);
    await expect(lost).rejects.toMatchObject({
      kind: 'storage_failed',
      outcome: 'unknown',
      message: expect.not.stringContaining('Nothing was sent'),
      cause: { kind: 'overloaded' },
    });
  });

  test('is paid and lost when it cannot be read again', async () => {
    const { spool, chunks } = spooling('completed');
    const broken = new Error('EIO');
    // biome-ignore lint/correctness/useYield: it fails before its first chunk
    spool.open = async function* (): AsyncGenerator<Buffer> {
      throw broken;
    };
    const lost = throughTheGateway(chunks, 1, () => spool);
    await expect(lost).rejects.toMatchObject({ kind: 'storage_failed', outcome: 'unknown', cause: broken });
    expect(spool.isReleased).toBe(true);
  });

  test('keeps the error of its stream, also while it is in a spool', async () => {
    const { spool, chunks } = spooling('completed');
    const gone = new GatewayError('client_gone', 'The client has gone.');
    async function* left() {
      let pieces = 0;
      for await (const chunk of chunks) {
        pieces += 1;
        if (pieces === 20) throw gone;
        yield chunk;
      }
    }
    await expect(throughTheGateway(left(), 1, () => spool)).rejects.toBe(gone);
  });

  test('is paid and lost when it cannot be stored', async () => {
    const { spool, chunks } = spooling('completed');
    const full = new GatewayError('storage_failed', 'An uploaded file could not be stored.');
    spool.put = () => Promise.reject(full);
    const lost = throughTheGateway(chunks, 1, () => spool);
    await expect(lost).rejects.toMatchObject({ kind: 'storage_failed', outcome: 'unknown', cause: full });
    expect(spool.isReleased).toBe(true);
  });
});
