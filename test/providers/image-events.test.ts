import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scanJson } from '../../src/codec/json-scanner.ts';
import { imagesJson } from '../../src/http/surfaces/openai-images/write-json.ts';
import { imageEvents, imagesShape } from '../../src/providers/azure/image-events.ts';
import { waitForOutcome } from '../../src/providers/azure/read-response.ts';
import { asStream, cut, handwriting, writeJson } from '../helpers/json-text.ts';
import { providerCall } from '../helpers/provider-call.ts';

const call = providerCall({ attempt: { sent: true } });

/** An upstream's body on its whole way: scanned, mapped, committed, and written as our answer. */
async function throughTheGateway(chunks: readonly Buffer[]): Promise<string> {
  const events = await waitForOutcome(imageEvents(scanJson(asStream(chunks), imagesShape), call));
  const pieces = await Array.fromAsync(imagesJson(events, { images: 0 }));
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece))).toString();
}

const pngHeader = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0d', 'latin1');
const image = fc.uint8Array({ maxLength: 300 }).map((rest) => Buffer.concat([pngHeader, rest]).toString('base64'));
const noise = fc.jsonValue({ maxDepth: 2 });
const text = fc.string({ minLength: 1 });
const count = fc.nat();
const details = fc.record({ text_tokens: count, image_tokens: count });
const usage = fc.record(
  { input_tokens: count, output_tokens: count, total_tokens: count, input_tokens_details: details, other: count },
  { requiredKeys: ['input_tokens', 'output_tokens', 'total_tokens'] },
);
const item = fc.record(
  {
    b64_json: image,
    revised_prompt: text,
    content_filter_results: noise,
    error: fc.constant(null),
  },
  { requiredKeys: ['b64_json'] },
);
const answer = fc.record(
  {
    data: fc.array(item, { minLength: 1, maxLength: 10 }),
    created: fc.integer({ min: 1 }),
    usage,
    size: text,
    quality: text,
    background: text,
    output_format: text,
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
    ['an empty image', '{"data":[{"b64_json":""}]}'],
    ['no items', '{"data":[]}'],
    ['null data', '{"data":null}'],
    ['no data', '{"created":1}'],
    ['an item without an image', '{"data":[{"revised_prompt":"x"}]}'],
    ['an item that is null', '{"data":[null]}'],
    ['an item whose image is null', '{"data":[{"b64_json":null}]}'],
    ['a link that is none', '{"data":[{"url":"not a link"}]}'],
    ['two images in one item', `{"data":[{"b64_json":"${'iVBORw0KGgoAAAAN'}","b64_json":"iVBORw0KGgoAAAAN"}]}`],
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
    ['before the images', '{"error":{"code":"contentFilter"},"data":[{"b64_json":"iVBORw0KGgoAAAAN"}]}'],
    ['behind a link', '{"data":[{"url":"https://a.example/b"},{"error":{"code":"content_filter"}}]}'],
  ])('is refused content when it has a filter’s error %s', async (_name, text) => {
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({
      kind: 'content_policy_violation',
      outcome: 'refused',
    });
  });

  test('is truncated when a later image is none', async () => {
    const text = `{"data":[{"b64_json":"iVBORw0KGgoAAAAN"},{"b64_json":"aGVsbG8gd29ybGQhIQ=="}]}`;
    const events = await waitForOutcome(imageEvents(scanJson(asStream([Buffer.from(text)]), imagesShape), call));
    await expect(Array.fromAsync(events)).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
  });

  test('is no answer when an image holds a raw line break, which could end a line of ours', async () => {
    const text = '{"data":[{"b64_json":"iVBORw0KGgoAAAAN\n"}]}';
    await expect(throughTheGateway([Buffer.from(text)])).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
  });

  test('is truncated, not ended, when a filter’s error follows an image', async () => {
    const text = '{"data":[{"b64_json":"iVBORw0KGgoAAAAN"},{"error":{"code":"contentFilter"}}]}';
    const events = await waitForOutcome(imageEvents(scanJson(asStream([Buffer.from(text)]), imagesShape), call));
    await expect(Array.fromAsync(events)).rejects.toMatchObject({ kind: 'content_policy_violation' });
  });
});

describe('a member that says nothing', () => {
  const good = 'iVBORw0KGgoAAAAN';
  const link = 'https://a.example/b';

  test.each([
    ['an empty url', `{"url":"","b64_json":"${good}"}`],
    ['an empty url behind the image', `{"b64_json":"${good}","url":""}`],
    ['no url', `{"b64_json":"${good}","url":null,"revised_prompt":null}`],
    ['an empty prompt', `{"revised_prompt":"","b64_json":"${good}"}`],
    ['an empty image', `{"b64_json":"","b64_json":"${good}"}`],
    ['no error', `{"error":null,"b64_json":"${good}"}`],
    ['an empty error', `{"error":{},"b64_json":"${good}"}`],
    ['an error of empty members', `{"b64_json":"${good}","error":{"code":null,"message":"","param":[]}}`],
    ['a data URL beside its base64', `{"b64_json":"${good}","url":"data:image/png;base64,${good}"}`],
  ])('leaves the image beside it alone: %s', async (_name, item) => {
    const told = JSON.parse(await throughTheGateway([Buffer.from(`{"created":1,"data":[${item}]}`)]));
    expect(told).toEqual({ created: 1, data: [{ b64_json: good }] });
  });

  test.each([
    ['an empty image', `{"b64_json":"","url":"${link}"}`],
    ['an empty image behind the link', `{"url":"${link}","b64_json":"","revised_prompt":""}`],
    ['no image', `{"b64_json":null,"url":"${link}"}`],
    ['white space around the link', `{"url":" ${link}\\n"}`],
  ])('leaves the link beside it alone: %s', async (_name, item) => {
    const told = JSON.parse(await throughTheGateway([Buffer.from(`{"created":1,"data":[${item}]}`)]));
    expect(told).toEqual({ created: 1, data: [{ url: link }] });
  });

  test.each(['null', '{}', '""', '[]', '{"b64_json":"","url":""}', '{"url":null,"revised_prompt":"x","error":null}'])(
    'leaves the item before or behind it alone: %s',
    async (empty) => {
      for (const data of [`${empty},{"b64_json":"${good}"}`, `{"b64_json":"${good}"},${empty}`]) {
        const told = JSON.parse(await throughTheGateway([Buffer.from(`{"created":1,"data":[${data}]}`)]));
        expect(told).toEqual({ created: 1, data: [{ b64_json: good }] });
      }
    },
  );

  test('is not passed on', async () => {
    const text = `{"created":1,"size":"","quality":null,"error":"","usage":{},"data":[{"b64_json":"${good}"}]}`;
    expect(JSON.parse(await throughTheGateway([Buffer.from(text)]))).toEqual({
      created: 1,
      data: [{ b64_json: good }],
    });
  });
});

describe('base64 of an upstream', () => {
  const whole = Buffer.concat([pngHeader, Buffer.from([0xfb, 0xff, 0xfe, 0x10])]).toString('base64');

  const damaged: [string, string][] = [
    ['a control character', `${whole.slice(0, 17)}\u0001${whole.slice(18)}`],
    ['a tab', `${whole}\t`],
    ['a blank', `${whole.slice(0, 20)} ${whole.slice(20)}`],
    ['an escaped quote', `${whole.slice(0, 20)}\\"${whole.slice(21)}`],
    ['URL-safe letters', whole.replaceAll('+', '-').replaceAll('/', '_')],
    ['no padding', whole.replaceAll('=', '')],
    ['half of its padding', whole.slice(0, -1)],
    ['too much padding', `${whole}=`],
    ['padding in the middle', `${whole}${whole}`],
    ['stray bits', whole.replace('EA==', 'EB==')],
    ['letters of another alphabet', `${whole.slice(0, 20)}\u00e9\u00e9${whole.slice(24)}`],
  ];

  test('has what these tests change', () => {
    expect(whole).toMatch(/[+].*[/].*EA==$/);
  });

  test.each(damaged)('is paid and lost before the first byte when it has %s', async (_name, text) => {
    await expect(throughTheGateway([Buffer.from(`{"data":[{"b64_json":"${text}"}]}`)])).rejects.toMatchObject({
      kind: 'upstream_invalid_response',
      outcome: 'unknown',
    });
  });

  test.each(damaged)('ends the answer that has begun when it has %s', async (_name, text) => {
    const body = Buffer.from(`{"data":[{"b64_json":"${text}"}]}`);
    const at = body.indexOf(whole.slice(0, 16)) + 16;
    const [begin, rest] = [body.subarray(0, at), body.subarray(at)];
    const events = await waitForOutcome(imageEvents(scanJson(asStream([begin, rest]), imagesShape), call));
    const passed: string[] = [];
    const read = async () => {
      for await (const event of events) if (event.type === 'bytes') passed.push(event.chunk.toString('latin1'));
    };
    await expect(read()).rejects.toMatchObject({ kind: 'upstream_invalid_response' });
    expect(passed).toEqual([whole.slice(0, 16)]);
  });

  test('may be escaped as JSON allows it', async () => {
    const escaped = whole.replaceAll('/', '\\/').replaceAll('+', '\\u002B').replaceAll('=', '\\u003d');
    for (let cutAt = 1; cutAt < escaped.length; cutAt += 1) {
      const body = Buffer.from(`{"created":1,"data":[{"b64_json":"${escaped}"}]}`);
      const chunks = [body.subarray(0, cutAt + 34), body.subarray(cutAt + 34)];
      expect(JSON.parse(await throughTheGateway(chunks)).data).toEqual([{ b64_json: whole }]);
    }
  });
});

describe('usage', () => {
  const counts = { input_tokens: 5, output_tokens: 6, total_tokens: 11 };

  async function toldUsage(usage: unknown): Promise<{ usage: unknown; anomalies: string[] }> {
    const anomalies: string[] = [];
    const counting = { ...call, recorder: { ...call.recorder, anomaly: (kind: string) => void anomalies.push(kind) } };
    const body = JSON.stringify({ created: 1, data: [{ b64_json: 'iVBORw0KGgoAAAAN' }], usage });
    const events = imageEvents(scanJson(asStream([Buffer.from(body)]), imagesShape), counting);
    const pieces = await Array.fromAsync(imagesJson(events, { images: 0 }));
    return { usage: JSON.parse(pieces.join('')).usage, anomalies };
  }

  test.each<[string, unknown, unknown, boolean]>([
    ['nothing', null, undefined, false],
    ['nulls', { input_tokens: null, output_tokens: null, total_tokens: 0 }, undefined, false],
    ['counts beside nulls', { ...counts, input_tokens_details: null, output_tokens_details: '' }, counts, false],
    ['a fraction', { ...counts, output_tokens: 5.5 }, undefined, true],
    ['a negative number', { ...counts, total_tokens: -1 }, undefined, true],
    ['a text', { ...counts, input_tokens: '5' }, undefined, true],
    ['a number beyond all whole ones', { ...counts, total_tokens: 1e300 }, undefined, true],
    ['a fraction where it is not needed', { ...counts, more: 0.5 }, counts, true],
    [
      'a fraction in the details',
      { ...counts, input_tokens_details: { text_tokens: 1, image_tokens: 0.5 } },
      counts,
      true,
    ],
    ['half of the details', { ...counts, input_tokens_details: { text_tokens: 1 } }, counts, false],
    ['details that are a number', { ...counts, input_tokens_details: 5 }, counts, false],
    ['a list', [5], undefined, true],
    ['a text instead of an object', 'free', undefined, true],
  ])('is whole numbers or left out: %s', async (_name, usage, told, isOdd) => {
    expect(await toldUsage(usage)).toEqual({ usage: told, anomalies: isOdd ? ['usage_not_whole'] : [] });
  });
});
