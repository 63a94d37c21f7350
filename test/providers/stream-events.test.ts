import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StreamAnswer } from '../../src/api/stream-answer.ts';
import { asGatewayError } from '../../src/api/write-error.ts';
import type { Recorder } from '../../src/domain/recorder.ts';
import { commit } from '../../src/providers/commit.ts';
import { streamEvents } from '../../src/providers/stream-events.ts';
import { asStream, cut, type Handwriting, handwriting, writeJson } from '../helpers/json-text.ts';

const recorder: Recorder = {
  anomaly: () => {},
  attemptEnded: () => {},
  retryArrived: () => {},
  unknownRepeated: () => {},
};
const call = { signal: new AbortController().signal, attempt: { sent: true }, recorder };
const asked = { size: '1024x1024', quality: 'low' };

type Told = { readonly name: string; readonly data: Record<string, unknown> };

/** An upstream's stream on its whole way: split, mapped, committed, and written as our stream. */
async function throughTheGateway(chunks: readonly Buffer[], count = 1): Promise<Told[]> {
  const events = await commit(streamEvents(asStream(chunks), count, call));
  const toError = (error: unknown) => asGatewayError(error, 'id');
  const answer = new StreamAnswer(events, { operation: 'generate', asked, written: { images: 0 }, toError });
  const text = Buffer.concat((await Array.fromAsync(answer.text())).map((piece) => Buffer.from(piece))).toString();
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map(readEvent);
}

/** Our own events are exactly one name, one line of data; a picture's event that became an error has a second name. */
function readEvent(text: string): Told {
  const [first, data, second] = text.split('\n');
  const name = (second ?? first)?.replace('event: ', '') ?? '';
  return { name, data: JSON.parse((data as string).replace('data: ', '')) };
}

const png = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0d', 'latin1');
const picture = fc.uint8Array({ maxLength: 200 }).map((rest) => Buffer.concat([png, rest]).toString('base64'));
const members = {
  b64_json: picture,
  created_at: fc.integer({ min: 1 }),
  size: fc.string(),
  quality: fc.string(),
  background: fc.string(),
  output_format: fc.string(),
};
const partials = fc.array(fc.record(members), { maxLength: 3 });
const completed = fc.record({ ...members, usage: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })) });
const generation = (kind: string) => `image_generation.${kind}`;

/** One upstream event in a random hand: with or without its name, comments, other line ends, white space in the JSON. */
function writeEvent(name: string, data: object, hand: Handwriting, end: string): string {
  const json = writeJson({ type: name, ...data }, hand).replaceAll(/[\r\n]/g, ' ');
  // Without its name, the data must say first what it is, or the reader has to hold the picture back: both are tried.
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

  test('ends with an error event when it is cut anywhere behind its first picture’s beginning', async () => {
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

  test('ends with an error event when fewer pictures come than were asked for', async () => {
    const told = await throughTheGateway([Buffer.from(final)], 2);
    expect(told.map(({ name }) => name)).toEqual(['image_generation.completed', 'error']);
  });

  test('ends with an error event when a preview is a picture and the final one is not', async () => {
    const told = await throughTheGateway([
      Buffer.from(`${first}data: {"type":"image_generation.completed","b64_json":""}\n\n`),
    ]);
    expect(told.at(-1)).toMatchObject({ name: 'error', data: { error: { code: 'upstream_invalid_response' } } });
  });

  test('is judged by the error of a failed event', async () => {
    const event = `event: image_generation.failed\ndata: {"error":{${refusal}}}\n\n`;
    await expect(throughTheGateway([Buffer.from(event)])).rejects.toMatchObject({ kind: 'moderation_blocked' });
  });

  test('skips events of other types, and whatever follows the last picture', async () => {
    const other = 'event: image_generation.queued\ndata: {"b64_json":"AAAA"}\n\ndata: 7\n\ndata: {}\n\n';
    const told = await throughTheGateway([Buffer.from(other + final + other + final)]);
    expect(told.map(({ name }) => name)).toEqual(['image_generation.completed']);
  });

  test('gives as many pictures as were asked for', async () => {
    expect(await throughTheGateway([Buffer.from(final + final)], 2)).toHaveLength(2);
  });

  test('fills in what the upstream does not say: from the request, and from the picture itself', async () => {
    const [told] = await throughTheGateway([Buffer.from(final)]);
    expect(told?.data).toMatchObject({ size: '1024x1024', quality: 'low', background: 'auto', output_format: 'png' });
  });

  test.each([
    ['a completed event without a picture', 'event: image_generation.completed\ndata: {"usage":{}}\n\n'],
    ['a picture that is none', 'event: image_generation.completed\ndata: {"b64_json":"aGVsbG8gd29ybGQhIQ=="}\n\n'],
    ['data that is no JSON', 'event: image_generation.completed\ndata: {nonsense}\n\n'],
  ])('is paid and lost when it holds %s', async (_name, text) => {
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
  });
});
