import fc from 'fast-check';
import { expect, test } from 'vitest';
import { watchPartHeads } from '../../../src/http/uploads/part-heads.ts';

const boundary = '--bound-ary';

/** Bodies that look like a delimiter nearly. */
const body = fc.array(fc.constantFrom('\r\n', '--', boundary.slice(0, 5), '\r', 'x', '\r\n\r\n', '\r\n--'), {
  maxLength: 6,
});
const head = fc.constantFrom('content-disposition: form-data; name="a"', 'a: b\r\nc: d', 'x');

test('the heads of all parts are shown, wherever the form is cut, and nothing else', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(head, body)),
      fc.constantFrom('', 'preamble\r\n'),
      fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
      (parts, preamble, sizes) => {
        const written = parts.map(([head, body]) => `--${boundary}\r\n${head}\r\n\r\n${body.join('')}\r\n`);
        const form = Buffer.from(`${preamble}${written.join('')}--${boundary}--\r\n`);
        const shown: string[] = [];
        const watch = watchPartHeads(boundary, (bytes) => shown.push(bytes.toString().trim()));
        for (let at = 0; at < form.length; ) {
          const size = sizes.next().value;
          watch(form.subarray(at, at + size));
          at += size;
        }
        expect(shown).toEqual(parts.map(([head]) => head));
      },
    ),
  );
});

test('what follows the closing delimiter is not searched, wherever it is cut', () => {
  const form = Buffer.from(`--${boundary}\r\na: b\r\n\r\nc\r\n--${boundary}--\r\n--${boundary}\r\n\r\n`);
  for (let at = 1; at < form.length; at += 1) {
    const shown: string[] = [];
    const watch = watchPartHeads(boundary, (bytes) => shown.push(bytes.toString().trim()));
    for (const piece of [form.subarray(0, at), form.subarray(at)]) watch(piece);
    expect(shown).toEqual(['a: b']);
  }
});
