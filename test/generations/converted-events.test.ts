import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { type Conversion, type ConversionOrder, UnusableImageError } from '../../src/domain/image-conversion.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { OpenInputStore } from '../../src/domain/image-input.ts';
import { type Converting, converted } from '../../src/generations/converted-events.ts';
import { createTemporaryInputStores } from '../../src/storage/temporary-input-store.ts';
import { asStream } from '../helpers/json-text.ts';
import { beginIn, imagesOf, keyed, restartIn } from './crash.ts';
import { type Answer, accepting, silent } from './fake-targets.ts';

const png = Buffer.from('89504e470d0a1a0a0000000d', 'hex');
const webp = Buffer.from('RIFF\0\0\0\0WEBPVP8 a cat', 'latin1');
const conversion: Conversion = { format: 'webp', compression: 80 };
const plain = { stream: false, partialImages: 0 };
const streamed = { stream: true, partialImages: 2 };

/** A converter that makes the same of every image, and notes what it was asked for. */
function fakeConverting(convert: (order: ConversionOrder) => Promise<Buffer> = async () => webp) {
  const orders: ConversionOrder[] = [];
  const open: string[] = [];
  const stores = createTemporaryInputStores(tmpdir());
  const openInputs: OpenInputStore = (consumer) => {
    const store = stores(consumer);
    open.push(consumer);
    return Object.assign(store, {
      release: async () => void open.pop(),
    });
  };
  const converter = {
    ready: async () => {},
    async convert(order: ConversionOrder) {
      orders.push(order);
      const stored = await order.into.put(asStream([await convert(order)]));
      return { ...stored, type: 'image/webp', width: 1, height: 1, hasAlpha: false } as const;
    },
  };
  return { orders, open, converting: { converter, openInputs } satisfies Converting };
}

/** An image in two pieces. */
function image(bytes: Buffer, { index = 0, isPartial = false } = {}): ImageEvent[] {
  const text = bytes.toString('base64');
  return [
    { type: 'image', index, isPartial },
    { type: 'bytes', chunk: Buffer.from(text.slice(0, 5)) },
    { type: 'bytes', chunk: Buffer.from(text.slice(5)) },
    { type: 'image-end', index, ...(isPartial && { partialIndex: 0, facts: { outputFormat: 'png' } }) },
  ];
}

const done: ImageEvent = { type: 'done', created: 1, facts: { outputFormat: 'png', background: 'transparent' } };

async function run(
  events: AsyncIterable<ImageEvent>,
  { converting }: Pick<ReturnType<typeof fakeConverting>, 'converting'>,
  asked = plain,
) {
  const { signal } = new AbortController();
  const all: unknown[] = [];
  for await (const event of await converted(events, conversion, { asked, converting, signal })) {
    const text = event.type === 'bytes' ? Buffer.from(String(event.chunk), 'base64').toString('latin1') : event;
    if (typeof text === 'string' && typeof all.at(-1) === 'string') all.push(`${all.pop()}${text}`);
    else all.push(text);
  }
  return all;
}

test('partial images and images are converted, and the facts say what they are then', async () => {
  const fake = fakeConverting();
  const events = [...image(png, { isPartial: true }), ...image(png), done];
  const text = webp.toString('latin1');
  expect(await run(asStream(events), fake, streamed)).toEqual([
    { type: 'image', index: 0, isPartial: true },
    text,
    { type: 'image-end', index: 0, partialIndex: 0, facts: { outputFormat: 'webp' } },
    { type: 'image', index: 0, isPartial: false },
    text,
    { type: 'image-end', index: 0 },
    { ...done, facts: { outputFormat: 'webp', background: 'transparent' } },
  ]);
  expect(fake.orders.map(({ kind, compression, image: { size } }) => [kind, compression, size])).toEqual([
    ['partial', 80, png.length],
    ['output', 80, png.length],
  ]);
  expect(fake.open).toEqual([]);
});

test('an image that comes in the wanted format passes as it is', async () => {
  const fake = fakeConverting();
  const events = [...image(webp), done];
  expect((await run(asStream(events), fake)).slice(0, 1)).toEqual(events.slice(0, 1));
  expect(fake.orders).toEqual([]);
});

test.each<[string, () => Promise<Buffer>, string]>([
  ['cannot be decoded', () => Promise.reject(new UnusableImageError('is damaged')), 'upstream_invalid_response'],
  ['finds no room', () => Promise.reject(new GatewayError('overloaded', 'no room')), 'storage_failed'],
  ['meets a bug', () => Promise.reject(new Error('a bug')), 'storage_failed'],
])('an image that %s was paid for: the outcome is unknown', async (_, convert, kind) => {
  const fake = fakeConverting(convert);
  await expect(run(asStream([...image(png), done]), fake)).rejects.toMatchObject({ kind, outcome: 'unknown' });
  expect(fake.open).toEqual([]);
});

test('a partial image that cannot be decoded is left out, and the image behind it is delivered', async () => {
  const damaged = new UnusableImageError('is damaged');
  const fake = fakeConverting(({ kind }) => (kind === 'partial' ? Promise.reject(damaged) : Promise.resolve(webp)));
  const noBase64 = image(png, { isPartial: true }).map((event) =>
    event.type === 'bytes' ? { ...event, chunk: Buffer.from('?!?!?') } : event,
  );
  const events = [...image(png, { isPartial: true }), ...noBase64, ...image(png), done];
  const left = (await run(asStream(events), fake, streamed)) as { type?: string; isPartial?: boolean }[];
  expect(left.map((event) => event.type ?? event)).toEqual(['image', webp.toString('latin1'), 'image-end', 'done']);
  expect(left[0]).toMatchObject({ isPartial: false });
  expect(fake.open).toEqual([]);
});

test('a failure of the upstream in the middle of an image is told as it is', async () => {
  const cut = new GatewayError('upstream_outcome_unknown', 'cut', { outcome: 'unknown' });
  const events = (async function* (): AsyncGenerator<ImageEvent> {
    yield* image(png).slice(0, 2);
    throw cut;
  })();
  const fake = fakeConverting();
  await expect(run(events, fake)).rejects.toBe(cut);
  expect(fake.open).toEqual([]);
});

test('what another process has paid for is converted by the one that follows it', async () => {
  const fake = fakeConverting();
  const facts = { converting: fake.converting };
  const family = 'gpt-image-2';
  let isNoted = false;
  const { crashOnce } = await beginIn({
    targets: [{ family, answers: [accepting('/operations/1', silent)] }],
    request: { outputFormat: 'webp', outputCompression: 80 },
    steps: (store) => ({
      async note(...values) {
        await store.note(...values);
        isNoted = true;
      },
    }),
    facts,
  });
  const left = await crashOnce(() => isNoted);
  const drawnPng: Answer = async () => asStream([...image(png), done]);
  const next = await restartIn(left, [{ family, answers: [], resumes: [drawnPng] }], facts);
  const images = await imagesOf(await next.start({ outputFormat: 'webp', outputCompression: 80 }, keyed));
  expect(images).toHaveLength(1);
  expect(fake.orders).toMatchObject([{ format: 'webp', compression: 80 }]);
});
