import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkCharset, utf8Only } from '../../src/http/request-body.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'é', '猫', '😀', '\ufffd', '\ufeff'), maxLength: 40 });
const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 5 }));

async function* cut(bytes: Buffer, lengths: Iterator<number>): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const { value } = lengths.next();
    yield bytes.subarray(at, at + value);
    at += value;
  }
}

const passed = async (bytes: Buffer, lengths: Iterator<number>) =>
  Buffer.concat(await Array.fromAsync(utf8Only(cut(bytes, lengths))));

describe('a body that must be UTF-8', () => {
  test('passes unchanged where it is, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(text, sizes, async (sent, lengths) => {
        expect((await passed(Buffer.from(sent), lengths)).toString()).toBe(sent);
      }),
    );
  });

  const damage = fc.constantFrom([0xff], [0xc3], [0xe7, 0x8c], [0xf0, 0x9f, 0x98], [0x80], [0xed, 0xa0, 0x80], [0xf8]);
  test('ends where it is not, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(text, damage, text, sizes, async (before, bytes, after, lengths) => {
        const body = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
        await expect(passed(body, lengths)).rejects.toMatchObject({ kind: 'invalid_json' });
      }),
    );
  });
});

describe('a declared charset', () => {
  test.each([undefined, 'text/plain', 'a/b; charset=utf-8', 'a/b;charset="UTF8"', "a/b; charset='us-ascii'; x=y"])(
    '%s is UTF-8',
    (type) => {
      expect(() => checkCharset(type)).not.toThrow();
    },
  );

  test.each(['a/b; charset=latin1', 'a/b; charset=utf-8; CHARSET = "utf-16le"', 'a/b;charset=utf-7'])(
    '%s is another one, and named',
    (type) => {
      expect(() => checkCharset(type)).toThrow(/charset '(latin1|utf-16le|utf-7)'/);
    },
  );
});
