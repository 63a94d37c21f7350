import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import { fanOut } from '../../src/generations/fan-out.ts';
import { asStream } from '../helpers/json-text.ts';

const usage = { total_tokens: 3, input_tokens_details: { text_tokens: 1 } };

/** One leg's answer: its images, each of one piece, and an end. */
function leg(images: readonly string[], end: Partial<Extract<ImageEvent, { type: 'done' }>> = {}): ImageEvent[] {
  const events = images.flatMap((text, index): ImageEvent[] => [
    { type: 'image', index, isPartial: false },
    { type: 'bytes', chunk: Buffer.from(text) },
    { type: 'image-end', index },
  ]);
  return [...events, { type: 'done', ...end }];
}

const answering = (events: ImageEvent[]) => async () => asStream(events);
const failing = (message: string) => async () => Promise.reject(new GatewayError('upstream_rate_limited', message));
const wholeAnswer = { isStream: false, deliversPart: false };

async function images(events: AsyncIterable<ImageEvent>): Promise<string[]> {
  const found: string[] = [];
  for await (const event of events) {
    if (event.type === 'image') expect(event.index).toBe(found.length);
    if (event.type === 'bytes') found.push(event.chunk.toString());
  }
  return found;
}

describe('fanOut', () => {
  test('gives the images of all legs in order, numbered through', async () => {
    const legs = [answering(leg(['a', 'b'])), answering(leg(['c'])), answering(leg(['d']))];
    expect(await images(await fanOut(legs, wholeAnswer))).toEqual(['a', 'b', 'c', 'd']);
  });

  test('sums the usage, and keeps the facts that are equal', async () => {
    const legs = [
      answering(leg(['a'], { created: 7, usage, facts: { size: '1x1', quality: 'low' } })),
      answering(leg(['b'], { created: 9, usage, facts: { size: '1x1', quality: 'high' } })),
    ];
    const events = await Array.fromAsync(await fanOut(legs, wholeAnswer));
    expect(events.at(-1)).toEqual({
      type: 'done',
      created: 7,
      usage: { total_tokens: 6, input_tokens_details: { text_tokens: 2 } },
      facts: { size: '1x1' },
    });
  });

  test('has at most four legs under way', async () => {
    let running = 0;
    let most = 0;
    const slow = (text: string) => async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return asStream(leg([text]));
    };
    const names = [...'abcdefghij'];
    expect(await images(await fanOut(names.map(slow), wholeAnswer))).toEqual(names);
    expect(most).toBe(4);
  });

  test('rejects when a leg fails, before any event, and starts no further leg', async () => {
    let started = 0;
    const counted = async () => {
      started += 1;
      await new Promise((resolve) => setImmediate(resolve));
      return asStream(leg(['x']));
    };
    const legs = [failing('first'), counted, counted, counted, counted, counted, counted];
    await expect(fanOut(legs, wholeAnswer)).rejects.toMatchObject({ message: 'first' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(started).toBe(3);
  });

  test('leaves failed legs out where a part may be delivered, but not all of them', async () => {
    const part = { isStream: false, deliversPart: true };
    const legs = [failing('first'), answering(leg(['b'])), failing('third'), answering(leg(['d']))];
    expect(await images(await fanOut(legs, part))).toEqual(['b', 'd']);
    const hopeless = fanOut([failing('first'), failing('second')], part);
    await expect(hopeless).rejects.toMatchObject({ message: 'first' });
  });

  test('begins a stream with its first leg, while others still run', async () => {
    const later = Promise.withResolvers<AsyncIterable<ImageEvent>>();
    const stream = { isStream: true, deliversPart: false };
    const events = await fanOut([answering(leg(['a'])), () => later.promise], stream);
    const found: string[] = [];
    for await (const event of events) {
      if (event.type === 'bytes') found.push(event.chunk.toString());
      if (event.type === 'image-end') later.resolve(asStream(leg(['b'])));
    }
    expect(found).toEqual(['a', 'b']);
  });

  test('tells with each image of a stream what the end of its leg says', async () => {
    const stream = { isStream: true, deliversPart: false };
    const legs = [answering(leg(['a'], { usage, facts: { size: '1x1' } })), answering(leg(['b']))];
    const events = await Array.fromAsync(await fanOut(legs, stream));
    const ends = events.filter((event) => event.type === 'image-end');
    expect(ends).toMatchObject([
      { index: 0, usage, facts: { size: '1x1' } },
      { index: 1, facts: {} },
    ]);
  });

  test('throws in the middle of a stream when a later leg fails', async () => {
    const stream = { isStream: true, deliversPart: false };
    const events = await fanOut([answering(leg(['a'])), failing('second')], stream);
    await expect(Array.fromAsync(events)).rejects.toMatchObject({ message: 'second' });
  });
});
