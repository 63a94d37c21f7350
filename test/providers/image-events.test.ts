import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonAnswer } from '../../src/api/json-answer.ts';
import type { Recorder } from '../../src/domain/recorder.ts';
import { scanJson } from '../../src/json/scan-json.ts';
import { commit } from '../../src/providers/commit.ts';
import { imageEvents, imagesShape } from '../../src/providers/image-events.ts';
import { asStream, cut, handwriting, writeJson } from '../helpers/json-text.ts';

const recorder: Recorder = {
  anomaly: () => {},
  attemptEnded: () => {},
  retryArrived: () => {},
  unknownRepeated: () => {},
};
const call = { signal: new AbortController().signal, attempt: { sent: true }, recorder };

/** An upstream's body on its whole way: scanned, mapped, committed, and written as our answer. */
async function throughTheGateway(chunks: readonly Buffer[]): Promise<string> {
  const events = await commit(imageEvents(scanJson(asStream(chunks), imagesShape), call));
  const pieces = await Array.fromAsync(jsonAnswer(events, { images: 0 }));
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece))).toString();
}

const pngHeader = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0d', 'latin1');
const picture = fc.uint8Array({ maxLength: 300 }).map((rest) => Buffer.concat([pngHeader, rest]).toString('base64'));
const noise = fc.jsonValue({ maxDepth: 2 });
const item = fc.record(
  {
    b64_json: picture,
    revised_prompt: fc.string(),
    content_filter_results: noise,
    error: fc.constant(null),
  },
  { requiredKeys: ['b64_json'] },
);
const answer = fc.record(
  {
    data: fc.array(item, { minLength: 1, maxLength: 10 }),
    created: fc.integer({ min: 1 }),
    usage: fc.dictionary(fc.string(), noise),
    size: fc.string(),
    quality: fc.string(),
    background: fc.string(),
    output_format: fc.string(),
    error: fc.constant(null),
    prompt_filter_results: noise,
  },
  { requiredKeys: ['data', 'created'] },
);

describe('an Images API answer on its way through the gateway', () => {
  test('is what parsing it whole gives, without what must stay inside, however it is written and cut', async () => {
    await fc.assert(
      fc.asyncProperty(answer, handwriting, async (input, hand) => {
        const text = writeJson(input, hand);
        const { error: _error, prompt_filter_results: _filter, ...whole } = JSON.parse(text);
        const data = whole.data.map(({ b64_json, revised_prompt }: { b64_json: string; revised_prompt?: string }) => ({
          b64_json,
          ...(revised_prompt !== undefined && { revised_prompt }),
        }));
        expect(JSON.parse(await throughTheGateway(cut(Buffer.from(text), hand)))).toEqual({ ...whole, data });
      }),
      { numRuns: 1000 },
    );
  });

  test('never ends cleanly when the upstream’s body does not', async () => {
    await fc.assert(
      fc.asyncProperty(answer, handwriting, async (input, hand) => {
        const text = Buffer.from(writeJson(input, hand).trim());
        const prefix = text.subarray(0, Math.floor(hand.dice() * text.length));
        await expect(throughTheGateway(cut(prefix, hand))).rejects.toMatchObject({ outcome: 'unknown' });
      }),
      { numRuns: 500 },
    );
  });

  test('gets the time of the answer where the upstream gives none', async () => {
    const before = Math.floor(Date.now() / 1000);
    const text = await throughTheGateway([Buffer.from(`{"data":[{"b64_json":"${pngHeader.toString('base64')}"}]}`)]);
    expect(JSON.parse(text).created).toBeGreaterThanOrEqual(before);
  });

  test.each([
    ['text that is no image', '{"data":[{"b64_json":"aGVsbG8gd29ybGQhIQ=="}]}'],
    ['an empty picture', '{"data":[{"b64_json":""}]}'],
    ['no items', '{"data":[]}'],
    ['null data', '{"data":null}'],
    ['no data', '{"created":1}'],
    ['an item without a picture', '{"data":[{"revised_prompt":"x"}]}'],
    ['an item that is null', '{"data":[null]}'],
    ['an item whose picture is null', '{"data":[{"b64_json":null}]}'],
    ['a link that is none', '{"data":[{"url":"not a link"}]}'],
    ['two pictures in one item', `{"data":[{"b64_json":"${'iVBORw0KGgoAAAAN'}","b64_json":"iVBORw0KGgoAAAAN"}]}`],
    ['another JSON value', '["data"]'],
    ['HTML', '<html></html>'],
  ])('is paid and lost when it holds %s', async (_name, text) => {
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({
      kind: 'upstream_invalid_response',
      outcome: 'unknown',
    });
  });

  test.each([
    ['beside no data', '{"created":1,"error":{"code":"contentFilter","message":"filtered"}}'],
    ['in the only item', '{"data":[{"error":{"code":"contentFilter","message":"filtered"}}]}'],
    ['before the pictures', '{"error":{"code":"contentFilter"},"data":[{"b64_json":"iVBORw0KGgoAAAAN"}]}'],
    ['behind a link', '{"data":[{"url":"https://a.example/b"},{"error":{"code":"content_filter"}}]}'],
  ])('is refused content when it has a filter’s error %s', async (_name, text) => {
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({
      kind: 'content_policy_violation',
      outcome: 'refused',
    });
  });

  test.each(['', 'aGVsbG8gd29ybGQhIQ=='])('is torn when a later picture is none: %j', async (second) => {
    const text = `{"data":[{"b64_json":"iVBORw0KGgoAAAAN"},{"b64_json":"${second}"}]}`;
    const events = await commit(imageEvents(scanJson(asStream([Buffer.from(text)]), imagesShape), call));
    await expect(Array.fromAsync(events)).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
  });

  test('is no answer when a picture holds a raw line break, which could end a line of ours', async () => {
    const text = '{"data":[{"b64_json":"iVBORw0KGgoAAAAN\n"}]}';
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
  });

  test('is torn, not ended, when a filter’s error follows a picture', async () => {
    const text = '{"data":[{"b64_json":"iVBORw0KGgoAAAAN"},{"error":{"code":"contentFilter"}}]}';
    const events = await commit(imageEvents(scanJson(asStream([Buffer.from(text)]), imagesShape), call));
    await expect(Array.fromAsync(events)).rejects.toMatchObject({ kind: 'content_policy_violation' });
  });
});
