import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../../src/domain/gateway-error.ts';
import type { ImageEvent } from '../../../../src/domain/image-event.ts';
import { ResponseEvents, type ResponseStreamParts } from '../../../../src/http/surfaces/responses/response-events.ts';
import type { ResponseFacts } from '../../../../src/http/surfaces/responses/response-object.ts';
import { responseJson } from '../../../../src/http/surfaces/responses/write-response.ts';
import { readEvents } from '../../../end-to-end/events.ts';

const facts: ResponseFacts = {
  job: 'j1',
  model: 'poster',
  createdAt: 1_790_000_000,
  action: 'generate',
  echo: { tools: [{ type: 'image_generation' }], metadata: { result: '"result":"' }, store: true },
};

const png = 'iVBORw0KGgoAAAANSUhEUg==';
const stored = { id: 'image-1', mediaType: 'image/png', length: 16, expiresAt: 0 };
const usage = { input_tokens: 5, output_tokens: 7, total_tokens: 12 };

function partial(partialIndex: number, ...pieces: string[]): ImageEvent[] {
  return [
    { type: 'image', index: 0, isPartial: true },
    ...pieces.map((piece): ImageEvent => ({ type: 'bytes', chunk: Buffer.from(piece) })),
    { type: 'image-end', index: 0, partialIndex },
  ];
}

/** @param partials as a response that is read again reports them */
function image(partials?: number): ImageEvent[] {
  return [
    { type: 'image', index: 0, isPartial: false, ...(partials !== undefined && { partials }) },
    { type: 'bytes', chunk: Buffer.from(png.slice(0, 5)) },
    { type: 'bytes', chunk: Buffer.from(png.slice(5)) },
    { type: 'image-end', index: 0, revisedPrompt: 'a "cat"', stored },
    { type: 'done', created: 1_790_000_009, usage, facts: { size: '1024x1024' } },
  ];
}

const disk = new GatewayError('storage_failed', 'The disk has failed.');

async function* played(events: readonly ImageEvent[], failure?: Error): AsyncGenerator<ImageEvent> {
  yield* events;
  if (failure) throw failure;
}

async function* readAgain(): AsyncGenerator<Buffer> {
  yield Buffer.from(png);
}

type Stream = Partial<ResponseStreamParts> & { readonly events: readonly ImageEvent[]; readonly failure?: Error };

async function written({ events, failure, ...parts }: Stream): Promise<string> {
  const stream = new ResponseEvents(played(events, failure), {
    facts,
    asked: () => ({ quality: 'low' }),
    readAgain,
    written: { images: 0 },
    toError: (error) => error as GatewayError,
    ...parts,
  });
  return (await Array.fromAsync(stream.text())).map(String).join('');
}

const streamed = async (stream: Stream) => readEvents(await written(stream));
const inShort = (events: readonly { name: string; data: Record<string, unknown> }[]) =>
  events.map(
    ({ name, data }) => `${data.sequence_number} ${name.replace('response.', '').replace('image_generation_', '')}`,
  );

const item = {
  id: 'ig_j1',
  type: 'image_generation_call',
  status: 'completed',
  result: png,
  action: 'generate',
  revised_prompt: 'a "cat"',
  size: '1024x1024',
  quality: 'low',
  background: 'auto',
  output_format: 'png',
};
const response = {
  id: 'resp_j1',
  object: 'response',
  created_at: 1_790_000_000,
  model: 'poster',
  output: [item],
  status: 'completed',
  completed_at: 1_790_000_009,
  error: null,
  incomplete_details: null,
  usage: {
    ...usage,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  },
  ...facts.echo,
};

test('the JSON response has the image and all that is known of it', async () => {
  const count = { images: 0 };
  const text = responseJson(played(image()), { facts, asked: () => ({ quality: 'low' }), written: count });
  expect(JSON.parse((await Array.fromAsync(text)).map(String).join(''))).toEqual(response);
  expect(count.images).toBe(1);
});

test('a response without token counts has no usage', async () => {
  const events = [...image().slice(0, -1), { type: 'done' } as const];
  const text = responseJson(played(events), { facts, asked: () => ({}), written: { images: 0 } });
  expect(JSON.parse((await Array.fromAsync(text)).map(String).join(''))).toMatchObject({
    usage: null,
    completed_at: null,
  });
});

test('the details of token counts have what OpenAI’s types require, beside what Azure reports', async () => {
  const details = { input_tokens_details: { text_tokens: 5, image_tokens: 0, cached_tokens: 3 } };
  const events = [...image().slice(0, -1), { type: 'done', usage: { ...usage, ...details } } as const];
  const text = responseJson(played(events), { facts, asked: () => ({}), written: { images: 0 } });
  expect(JSON.parse((await Array.fromAsync(text)).map(String).join('')).usage).toEqual({
    ...usage,
    input_tokens_details: { text_tokens: 5, image_tokens: 0, cached_tokens: 3, cache_write_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  });
});

test.each([{}, { size: 'auto' }])(
  'a size that nobody knows is null, because clients split it at its x: %o',
  async (asked) => {
    const events = [...image().slice(0, -1), { type: 'done' } as const];
    const text = responseJson(played(events), { facts, asked: () => asked, written: { images: 0 } });
    const { output } = JSON.parse((await Array.fromAsync(text)).map(String).join(''));
    expect(output).toEqual([expect.objectContaining({ size: null, quality: 'auto' })]);
  },
);

test('a stream has all events of OpenAI, in order and with their numbers', async () => {
  const events = await streamed({ events: [...partial(0, 'aa', 'bb'), ...partial(1, 'cc'), ...image()] });
  expect(inShort(events)).toEqual([
    '0 created',
    '1 in_progress',
    '2 output_item.added',
    '3 call.in_progress',
    '4 call.generating',
    '5 call.partial_image',
    '6 call.partial_image',
    '7 call.completed',
    '8 output_item.done',
    '9 completed',
  ]);
  expect(events.every(({ name, data }) => data.type === name)).toBe(true);
  expect(events[0]?.data.response).toMatchObject({ id: 'resp_j1', status: 'in_progress', output: [], usage: null });
  expect(events[2]?.data).toMatchObject({
    output_index: 0,
    item: { id: 'ig_j1', status: 'in_progress', result: null },
  });
  expect(events[5]?.data).toMatchObject({
    item_id: 'ig_j1',
    output_index: 0,
    partial_image_b64: 'aabb',
    partial_image_index: 0,
    quality: 'low',
  });
  expect(events[7]?.data).toMatchObject({ item_id: 'ig_j1', output_index: 0 });
  expect(events[8]?.data).toEqual({ type: 'response.output_item.done', sequence_number: 8, output_index: 0, item });
  expect(events[9]?.data).toEqual({ type: 'response.completed', sequence_number: 9, response });
});

describe('a stream that is resumed', () => {
  const live = [...partial(0, 'aa'), ...partial(1, 'cc'), ...image()];

  test.each([-1, 0, 4, 5, 6, 7, 8, 9])(
    'after event %i has the same events but partial images',
    async (startingAfter) => {
      const whole = await streamed({ events: live });
      const expected = whole.filter(
        ({ name, data }) => !name.endsWith('partial_image') && Number(data.sequence_number) > startingAfter,
      );
      expect(await streamed({ events: image(2), startingAfter })).toEqual(expected);
      expect(await streamed({ events: live, startingAfter })).toEqual(expected);
    },
  );

  test('still gets the failure, whatever numbers partial images have had', async () => {
    const events = await streamed({ events: [], failure: disk, startingAfter: 6 });
    expect(inShort(events)).toEqual(['7 failed']);
  });
});

describe('a stream that fails', () => {
  const { code, message } = { code: 'storage_failed', message: 'The disk has failed.' };
  const failed = { id: 'resp_j1', status: 'failed', output: [], error: { code, message }, usage: null };

  test.each([
    ['before an image', [], '5 failed'],
    ['amid a partial image', partial(0, 'aa').slice(0, -1), '5 failed'],
    ['after a partial image', partial(0, 'aa'), '6 failed'],
    ['amid the image', image().slice(0, 2), '6 failed'],
    ['before the image has ended', image().slice(0, 1), '6 failed'],
  ])('%s ends with the failure', async (_, events, last) => {
    const all = await streamed({ events, failure: disk });
    expect(inShort(all).at(-1)).toBe(last);
    expect(all.at(-1)?.data).toMatchObject({ type: 'response.failed', response: failed });
  });

  test('after the image keeps it', async () => {
    const events = await streamed({ events: image().slice(0, -1), failure: disk });
    expect(inShort(events).slice(-3)).toEqual(['5 call.completed', '6 output_item.done', '7 failed']);
    expect(events.at(-2)?.data.item).toMatchObject({ result: png, status: 'completed' });
  });

  test('while the image is read again turns the last event into the failure', async () => {
    const broken = async function* () {
      yield Buffer.from('iVBO');
      throw disk;
    };
    const events = await streamed({ events: image(), readAgain: broken });
    expect(inShort(events).slice(-2)).toEqual(['6 output_item.done', '7 failed']);
    expect(events.at(-1)?.data).toMatchObject({ type: 'response.failed', response: failed });
  });
});

test('comments may stand between events only', async () => {
  const stream = new ResponseEvents(played([...partial(0, 'aa'), ...image()]), {
    facts,
    asked: () => ({}),
    readAgain,
    written: { images: 0 },
    toError: (error) => error as GatewayError,
  });
  let text = '';
  for await (const piece of stream.text()) {
    text += String(piece);
    expect(stream.isInEvent).toBe(!text.endsWith('\n\n'));
  }
});
