import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultKeptBytes, JsonScanner, type JsonShape, type ScanToken } from '../../src/codec/json-scanner.ts';
import { MalformedJsonError } from '../../src/codec/json-text.ts';
import { cut, handwriting, writeJson } from '../helpers/json-text.ts';

const shape: JsonShape = {
  members: { keep: 'keep', text: 'stream', list: { items: { members: { text: 'stream', keep: 'keep' } } } },
};

function scan(chunks: readonly Buffer[], of = shape): ScanToken[] {
  const scanner = new JsonScanner(of);
  const tokens = chunks.flatMap((chunk) => scanner.push(chunk));
  return [...tokens, ...scanner.end()];
}

function scanText(text: string): ScanToken[] {
  return scan([Buffer.from(text)]);
}

/** The streamed texts and kept values by path: what a reader would know of the value. */
function known(tokens: readonly ScanToken[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  let path = '';
  for (const token of tokens) {
    if (token.type === 'text' || token.type === 'value') path = token.path.join('.');
    if (token.type === 'text') found[path] = '';
    if (token.type === 'piece') found[path] += token.bytes.toString('latin1');
    if (token.type === 'value') found[path] = token.value;
  }
  return found;
}

/** The same, taken from the parsed value. */
function knownOf(value: Record<string, unknown>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const name of ['keep', 'text']) if (Object.hasOwn(value, name)) found[name] = value[name];
  if (!Object.hasOwn(value, 'list')) return found;
  if (!Array.isArray(value.list)) return { ...found, list: value.list };
  value.list.forEach((item: unknown, index) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) found[`list.${index}`] = item;
    else
      for (const [name, member] of Object.entries(knownOf({ ...item, list: undefined }))) {
        if (name !== 'list') found[`list.${index}.${name}`] = member;
      }
  });
  return found;
}

const base64 = fc.base64String({ maxLength: 400 });
const anything = fc.jsonValue({ maxDepth: 3 });
const item = fc.record(
  { text: fc.oneof(base64, fc.constant(null)), keep: anything, other: anything },
  { requiredKeys: [] },
);
const value = fc.record(
  {
    text: base64,
    keep: anything,
    list: fc.oneof(
      fc.array(fc.oneof({ weight: 5, arbitrary: item }, { weight: 1, arbitrary: fc.constant(null) })),
      fc.constant(null),
    ),
    other: anything,
    'tricky"\\key': anything,
  },
  { requiredKeys: [] },
);

describe('JsonScanner', () => {
  test('any valid text, in any order, spacing, escaping and cutting, says the same as JSON.parse', () => {
    fc.assert(
      fc.property(value, handwriting, (input, hand) => {
        const text = writeJson(input, hand);
        expect(known(scan(cut(Buffer.from(text), hand)))).toEqual(knownOf(JSON.parse(text)));
      }),
      { numRuns: 1000 },
    );
  });

  test('every proper prefix of a valid text is refused as cut', () => {
    fc.assert(
      fc.property(value, handwriting, (input, hand) => {
        const text = Buffer.from(writeJson(input, hand).trim());
        const prefix = text.subarray(0, Math.floor(hand.dice() * text.length));
        expect(() => scan(cut(prefix, hand))).toThrow(MalformedJsonError);
      }),
      { numRuns: 1000 },
    );
  });

  test('any bytes give tokens or a MalformedJsonError, nothing else', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc
        .string({ unit: fc.constantFrom(...'{}[]",:\\/ \n0123456789truefalsn"text"keep"list') })
        .map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(hostile, handwriting, (bytes, hand) => {
        try {
          scan(cut(bytes, hand));
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedJsonError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a text with a byte order mark is read', () => {
    expect(known(scanText('\ufeff{"keep":1}'))).toEqual({ keep: 1 });
  });

  test('a kept value that is too long is reported as dropped, and the rest is read', () => {
    const tokens = scanText(`{"keep":"${'x'.repeat(defaultKeptBytes)}","text":"QUJD"}`);
    expect(tokens).toContainEqual({ type: 'dropped', path: ['keep'] });
    expect(known(tokens)).toEqual({ text: 'QUJD' });
  });

  test('escaped line breaks of a streamed text are left out', () => {
    expect(known(scanText('{"text":"QUJD\\r\\nREVG\\u000a"}'))).toEqual({ text: 'QUJDREVG' });
  });

  test.each(['\\"', '\\\\', '\\b', '\\u0022', '\\u005c', '\\u00e9', '\\ud83d\\ude00', '\\u12', '\\x'])(
    'a streamed text with the escape %s, which no base64 holds, is refused',
    (escaped) => {
      expect(() => scanText(`{"text":"QUJD${escaped}"}`)).toThrow(MalformedJsonError);
    },
  );

  test.each([
    '',
    ' ',
    '<html>',
    '}',
    '{,}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a":1 "b":2}',
    '{"keep":tru}',
    '{"list":[1 2]}',
    '{"list":[1,]}',
  ])('the text %j is refused', (text) => {
    expect(() => scanText(text)).toThrow(MalformedJsonError);
  });

  test('an empty text is not called cut, a beginning is', () => {
    const errorOf = (text: string) => {
      try {
        scanText(text);
      } catch (error) {
        return error;
      }
    };
    expect(errorOf('')).toMatchObject({ isCut: false });
    expect(errorOf('{"text":"QUJ')).toMatchObject({ isCut: true });
    expect(errorOf('<html>')).toMatchObject({ isCut: false });
  });

  test('bytes after the outermost value are ignored', () => {
    expect(known(scanText('{"keep":1}\n{"keep":2}'))).toEqual({ keep: 1 });
  });

  test('members named like parts of Object.prototype are skipped', () => {
    expect(known(scanText('{"__proto__":{"keep":1},"constructor":2,"keep":3}'))).toEqual({ keep: 3 });
  });
});
