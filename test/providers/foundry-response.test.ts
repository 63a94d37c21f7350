import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { Anomaly, Recorder } from '../../src/domain/recorder.ts';
import { asPaid } from '../../src/providers/foundry-agent/response-failure.ts';
import { responseEvents } from '../../src/providers/foundry-agent/response-reader.ts';
import { responseStream } from '../../src/providers/foundry-agent/response-stream.ts';
import { asStream, cut, type Handwriting, handwriting, writeJson } from '../helpers/json-text.ts';

const anomalies: Anomaly[] = [];
const recorder: Recorder = {
  anomaly: (kind) => anomalies.push(kind),
  imageConverted: () => {},
  attemptEnded: () => {},
  retryArrived: () => {},
  unknownRepeated: () => {},
  budgetUsed: () => {},
  jobRecovered: () => {},
  generationEnded: () => {},
};
const attempt = { sent: true };
const context = { recorder, parameter: (name: string) => name };

type Read = (chunks: readonly Buffer[]) => AsyncGenerator<ImageEvent>;
const readJson: Read = (chunks) => asPaid(responseEvents(asStream(chunks), context), attempt);
const readStream: Read = (chunks) =>
  asPaid(
    responseStream(asStream(chunks), context, () => {}),
    attempt,
  );

/** All events, with the pieces of an image put together. */
async function collect(events: AsyncIterable<ImageEvent>): Promise<unknown[]> {
  const all: unknown[] = [];
  let base64: string | undefined;
  const end = () => {
    if (base64 !== undefined) all.push({ type: 'bytes', base64 });
    base64 = undefined;
  };
  for await (const event of events) {
    if (event.type === 'bytes') base64 = (base64 ?? '') + event.chunk.toString('latin1');
    else {
      end();
      all.push(event);
    }
  }
  end();
  return all;
}

const png = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0d', 'latin1');
const made = fc.uint8Array({ maxLength: 300 }).map((rest) => Buffer.concat([png, rest]).toString('base64'));
const noise = fc.jsonValue({ maxDepth: 2 });
const tells = {
  revised_prompt: fc.oneof(fc.string(), fc.constant(null)),
  size: fc.constantFrom('1024x1024', 'auto', null),
  quality: fc.constantFrom('high', 'auto'),
  background: fc.constantFrom('opaque', 'auto', 7),
  output_format: fc.constantFrom('png', 'webp'),
  action: fc.constantFrom('generate', 'edit'),
  error: fc.constant(null),
  status: fc.constantFrom('completed', 'generating'),
};
const imageCall = fc.record(
  { type: fc.constant('image_generation_call'), result: made, id: fc.uuid(), ...tells },
  { requiredKeys: ['type', 'result', 'id'] },
);
const otherItem = fc.oneof(
  fc.record({ type: fc.constantFrom('message', 'reasoning', 'web_search_call'), id: fc.uuid(), content: noise }),
  fc.record({ type: fc.constant('image_generation_call'), result: fc.constant(null), status: fc.constant('failed') }),
  fc.constant(null),
);
const output = fc
  .tuple(imageCall, fc.array(fc.oneof(imageCall, otherItem), { maxLength: 5 }), fc.nat(5))
  .map(([first, rest, at]) => rest.toSpliced(at, 0, first));
const response = fc.record(
  {
    output,
    id: fc.string(),
    created_at: fc.constantFrom(1, 1713833628, 0, null, '7'),
    status: fc.constantFrom('completed', 'in_progress', 'incomplete', 'failed', 'of tomorrow'),
    error: fc.constantFrom(null, { code: 'server_error' }),
    instructions: fc.string({ maxLength: 2_000 }),
    usage: noise,
    tools: noise,
    metadata: noise,
  },
  { requiredKeys: ['output'] },
);

type Call = {
  type: string;
  result: string;
  revised_prompt?: string | null;
  size?: unknown;
  quality?: unknown;
  background?: unknown;
  output_format?: unknown;
};

const isImage = (item: unknown): item is Call =>
  typeof item === 'object' && item !== null && 'result' in item && typeof item.result === 'string';

const imagesOf = (items: readonly unknown[]): Call[] => items.filter(isImage);

function factsOf(item: Call): Record<string, unknown> {
  const facts = {
    size: item.size,
    quality: item.quality,
    background: item.background,
    outputFormat: item.output_format,
  };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => typeof value === 'string' && value !== 'auto'));
}

const plausible = (created: unknown) => (typeof created === 'number' && created > 0 ? { created } : {});

/** What parsing the response whole says; `created` of each image depends on what stood before it. */
function eventsOf(parsed: { output: readonly unknown[]; created_at?: unknown }): object[] {
  const calls = parsed.output.filter(isImage);
  const created = plausible(parsed.created_at);
  const [first = {}, ...others] = calls.map(factsOf);
  const alike = Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value));
  return [
    ...calls.flatMap((item, index) => [
      { type: 'image', index, isPartial: false },
      { type: 'bytes', base64: item.result },
      {
        type: 'image-end',
        index,
        facts: factsOf(item),
        ...(item.revised_prompt && { revisedPrompt: item.revised_prompt }),
      },
    ]),
    { type: 'done', ...created, ...(alike.length > 0 && { facts: Object.fromEntries(alike) }) },
  ];
}

/** The time is told with an image only where it has come before it. */
function withoutTimes(events: readonly unknown[]): unknown[] {
  return events.map((event) => {
    const { created: _, ...rest } = event as { type: string; created?: number };
    return rest.type === 'image-end' ? rest : event;
  });
}

describe('a response as JSON', () => {
  test('gives what parsing it whole gives, however it is written and cut', async () => {
    await fc.assert(
      fc.asyncProperty(response, handwriting, async (input, hand) => {
        const text = writeJson(input, hand);
        expect(withoutTimes(await collect(readJson(cut(Buffer.from(text), hand))))).toEqual(eventsOf(JSON.parse(text)));
      }),
      { numRuns: 1000 },
    );
    expect(anomalies.splice(0)).toEqual([]);
  });

  test('never ends cleanly when its body does not', async () => {
    await fc.assert(
      fc.asyncProperty(response, handwriting, async (input, hand) => {
        const text = Buffer.from(writeJson(input, hand).trim());
        const prefix = text.subarray(0, Math.floor(hand.dice() * text.length));
        await expect(collect(readJson(cut(prefix, hand)))).rejects.toMatchObject({ outcome: 'unknown' });
      }),
      { numRuns: 500 },
    );
  });

  test('means the same without an image, however it is written and cut', async () => {
    const wordsOnly = fc.record({
      output: fc.array(fc.record({ type: fc.constant('message'), content: noise })),
      status: fc.constantFrom('completed', 'failed', 'incomplete', 'cancelled', 'in_progress', 'of tomorrow'),
      error: fc.constantFrom(
        null,
        { code: 'image_parse_error' },
        { code: 'invalid_prompt' },
        { code: 'rate_limit_exceeded' },
      ),
    });
    const meaning = (chunks: readonly Buffer[]) =>
      collect(readJson(chunks)).then(
        () => undefined,
        ({ kind, outcome, message, name }) => (kind ? { kind, outcome } : { name, message }),
      );
    await fc.assert(
      fc.asyncProperty(wordsOnly, handwriting, async (input, hand) => {
        const expected = await meaning([Buffer.from(JSON.stringify(input))]);
        expect(expected).toBeDefined();
        expect(await meaning(cut(Buffer.from(writeJson(input, hand)), hand))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

type Event = { readonly type: string; readonly [member: string]: unknown };

/** The stream of a response as Azure writes it: previews, items as they are finished, the whole of it at the end. */
function streamOf(
  input: { output: readonly unknown[] },
  previews: readonly string[],
  { announcesItems, repeatsItems }: { announcesItems: boolean; repeatsItems: boolean },
): Event[] {
  const items = input.output.flatMap((item, output_index): Event[] => [
    { type: 'response.output_item.added', output_index, item: isImage(item) ? { ...item, result: null } : item },
    ...(isImage(item) ? [{ type: 'response.image_generation_call.completed', output_index }] : []),
    { type: 'response.output_item.done', output_index, item },
  ]);
  return [
    { type: 'response.created', response: { ...input, output: [] } },
    { type: 'response.in_progress', response: { ...input, output: [] } },
    ...previews.map((partial_image_b64, partial_image_index) => ({
      type: 'response.image_generation_call.partial_image',
      partial_image_b64,
      partial_image_index,
      size: '1x1',
    })),
    ...(announcesItems ? items : []),
    { type: 'response.completed', response: repeatsItems || !announcesItems ? input : { ...input, output: [] } },
  ];
}

function writeEvents(events: readonly Event[], hand: Handwriting, end: string): string {
  return events
    .map((event, sequence_number) => {
      const json = writeJson({ ...event, sequence_number }, hand).replaceAll(/[\r\n]/g, ' ');
      const name = hand.dice() < 0.5 ? `event: ${event.type}${end}` : '';
      const comment = hand.dice() < 0.2 ? `: alive${end}${end}` : '';
      return `${comment}${name}data:${hand.dice() < 0.5 ? ' ' : ''}${json}${end}${end}`;
    })
    .join('');
}

const previewsOf = (previews: readonly string[]) =>
  previews.flatMap((base64, partialIndex) => [
    { type: 'image', index: 0, isPartial: true },
    { type: 'bytes', base64 },
    { type: 'image-end', index: 0, partialIndex, facts: { size: '1x1' } },
  ]);

/** One image: of several events, which one it is, is known only when its id has come before it. */
function oneImage<T extends { output: readonly unknown[] }>(input: T): T {
  const [first] = input.output.filter(isImage);
  return { ...input, output: input.output.filter((item) => item !== null && (!isImage(item) || item === first)) };
}

describe('a response as a stream', () => {
  const manner = fc.record({ announcesItems: fc.boolean(), repeatsItems: fc.boolean() });

  test('gives its previews, and then what its JSON gives, however it is written and cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        response,
        fc.array(made, { maxLength: 3 }),
        manner,
        fc.constantFrom('\n', '\r\n', '\r'),
        handwriting,
        async (input, previews, how, lineEnd, hand) => {
          const whole = oneImage(input);
          const text =
            (hand.dice() < 0.3 ? '\ufeff' : '') +
            writeEvents(streamOf(whole, previews, how), hand, lineEnd) +
            (hand.dice() < 0.5 ? `data: [DONE]${lineEnd}${lineEnd}` : '');
          expect(withoutTimes(await collect(readStream(cut(Buffer.from(text), hand))))).toEqual([
            ...previewsOf(previews),
            ...eventsOf(JSON.parse(JSON.stringify(whole))),
          ]);
        },
      ),
      { numRuns: 1000 },
    );
    expect(anomalies.splice(0)).toEqual([]);
  });

  test('that is cut anywhere is a success only with a complete image, and otherwise unknown', async () => {
    await fc.assert(
      fc.asyncProperty(response, fc.array(made, { maxLength: 2 }), handwriting, async (input, previews, hand) => {
        const whole = oneImage(input);
        const how = { announcesItems: true, repeatsItems: true };
        const text = Buffer.from(writeEvents(streamOf(whole, previews, how), hand, '\n').trimEnd());
        const prefix = text.subarray(0, Math.floor(hand.dice() * text.length));
        const told = await collect(readStream(cut(prefix, hand))).catch((error) => error);
        if (!Array.isArray(told)) {
          expect(told).toMatchObject({ outcome: 'unknown' });
          return;
        }
        const madeImages = told.filter(({ type }) => type === 'bytes').slice(previews.length);
        const calls = imagesOf(whole.output).map(({ result }) => ({ type: 'bytes', base64: result }));
        expect(madeImages.length).toBeGreaterThan(0);
        expect(madeImages).toEqual(calls.slice(0, madeImages.length));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['more images than there may be', 11, '}'],
    ['JSON that is cut', 1, ''],
  ])('that arrives at once and ends with %s gives the images that are complete', async (_name, count, end) => {
    const result = png.toString('base64');
    const output = Array.from({ length: count }, (_, id) => ({ id, type: 'image_generation_call', result }));
    const event = JSON.stringify({ type: 'response.completed', response: { status: 'completed', output } });
    const told = await collect(readStream([Buffer.from(`data: ${event.slice(0, -1)}${end}\n\n`)]));
    expect(told.filter((one) => (one as ImageEvent).type === 'image-end')).toHaveLength(Math.min(count, 10));
    expect(told.at(-1)).toMatchObject({ type: 'done' });
  });

  test('of any bytes is read or refused, and never breaks otherwise', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      fc.constantFrom('data: ', '\n', '\n\n', '{"item":{"result":"', '"}}', '{"response":{"output":[', ']}}', '[DONE]'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), handwriting, async (pieces, hand) => {
        const bytes = Buffer.from(pieces.join(''), 'latin1');
        await expect(collect(readStream(cut(bytes, hand)))).rejects.toMatchObject({ name: 'GatewayError' });
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a streamed response that breaks within the event of an image', () => {
  const base64 = Buffer.concat([png, Buffer.alloc(30)]).toString('base64');
  const item = (id: string) => `"item":{"type":"image_generation_call","id":"${id}","result":"${base64}"}`;
  /** It is JSON only when its members end with a brace. */
  const event = (members: string) => `data: {"type":"response.output_item.done",${members}\n\n`;
  const error = '"error":{"code":"x","message":"m"}';
  const image = (index: number) => [
    { type: 'image', index, isPartial: false },
    { type: 'bytes', base64 },
    { type: 'image-end', index, facts: {} },
  ];
  /** In one piece, and cut behind the image, so that its beginning has been handed on by then. */
  const ways = (body: string) => {
    const at = body.lastIndexOf(base64) + base64.length;
    return [[Buffer.from(body)], [Buffer.from(body.slice(0, at)), Buffer.from(body.slice(at))]];
  };

  test('keeps an image whose event also holds an error', async () => {
    for (const members of [`${item('a')},${error}`, `${error},${item('a')}`]) {
      for (const chunks of ways(event(`${members}}`))) {
        expect(await collect(readStream(chunks))).toEqual([...image(0), { type: 'done' }]);
      }
    }
  });

  test('keeps a complete image whose event is cut behind it', async () => {
    for (const chunks of ways(event(item('a')))) {
      expect(await collect(readStream(chunks))).toEqual([...image(0), { type: 'done' }]);
    }
  });

  test.each<[string, string]>([
    ['the only image', ''],
    ['a second image', event(`${item('a')}}`)],
  ])('never ends cleanly after an image that was only begun: %s', async (_, before) => {
    const begun = `${before}${event(item('b'))}`;
    const body = begun.slice(0, begun.lastIndexOf(base64) + 20);
    await expect(collect(readStream([Buffer.from(body)]))).rejects.toMatchObject({ outcome: 'unknown' });
  });
});
