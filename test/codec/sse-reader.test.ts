import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxEvent, OversizedEventError, SseReader } from '../../src/codec/sse-reader.ts';
import { cut, handwriting } from '../helpers/json-text.ts';

type Event = { readonly name: string; readonly data: string };

function read(chunks: readonly Buffer[], { withEnd = false } = {}): Event[] {
  const reader = new SseReader();
  const events: Event[] = [];
  let name = '';
  let data: Buffer[] = [];
  for (const part of [...chunks.flatMap((chunk) => reader.push(chunk)), ...(withEnd ? reader.end() : [])]) {
    if (part.type === 'name') name = part.name;
    else if (part.type === 'data') data.push(part.bytes);
    else {
      events.push({ name, data: Buffer.concat(data).toString() });
      name = '';
      data = [];
    }
  }
  return events;
}

/** What a parser that is known to be right makes of it. */
function oracle(text: string): Event[] {
  const events: Event[] = [];
  const onEvent = ({ event = '', data }: EventSourceMessage) => events.push({ name: event, data });
  createParser({ onEvent }).feed(text);
  return events;
}

const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
const value = fc.string({ unit: fc.constantFrom(...'aé:{}[] "🙂\t'), maxLength: 30 });
const line = fc.oneof(
  { weight: 5, arbitrary: value.map((text) => `data: ${text}`) },
  { weight: 2, arbitrary: value.map((text) => `data:${text}`) },
  { weight: 2, arbitrary: value.map((text) => `event: ${text}`) },
  { weight: 1, arbitrary: value.map((text) => `: ${text}`) },
  { weight: 1, arbitrary: fc.constantFrom('data', 'event', 'id: 7', 'retry: 10', 'unknown: x', ':', 'dat: x') },
  { weight: 4, arbitrary: fc.constant('') },
);

describe('SseReader', () => {
  test('any stream, cut anywhere, has the events that a reference parser finds', () => {
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 30 }),
        lineEnd,
        fc.boolean(),
        handwriting,
        (lines, end, hasMark, hand) => {
          const text = `${hasMark ? '\ufeff' : ''}${lines.map((each) => each + end).join('')}${end}`;
          // At the very end a lone CR may be half of a CRLF: the reference parser waits for the rest.
          expect(read(cut(Buffer.from(text), hand))).toEqual(oracle(`${text}: the end\n`));
        },
      ),
      { numRuns: 20_000 },
    );
  });

  test('an event without its empty line is given at the end of the stream', () => {
    expect(read([Buffer.from('event: a\ndata: 1')])).toEqual([]);
    expect(read([Buffer.from('event: a\ndata: 1')], { withEnd: true })).toEqual([{ name: 'a', data: '1' }]);
  });

  test('the data of a long line comes in the pieces in which it arrives', () => {
    const reader = new SseReader();
    const parts = ['data: ab', 'cd', 'ef\n', '\n'].flatMap((text) => reader.push(Buffer.from(text)));
    const pieces = parts.flatMap((part) => (part.type === 'data' ? [part.bytes.toString()] : []));
    expect(pieces).toEqual(['ab', 'cd', 'ef']);
    expect(parts.at(-1)).toEqual({ type: 'dispatch' });
  });

  test('an event that never ends is refused', () => {
    const reader = new SseReader();
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    reader.push(Buffer.from('data: '));
    const feed = () => {
      for (let length = 0; length <= maxEvent; length += megabyte.length) reader.push(megabyte);
    };
    expect(feed).toThrow(OversizedEventError);
  });
});
