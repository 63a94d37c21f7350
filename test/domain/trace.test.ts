import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newTraceparent } from '../../src/domain/trace.ts';
import { readTraceparent } from '../../src/http/gateway-headers.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';

describe('a traceparent', () => {
  test.each([
    ['as the specification has it', `00-${traceId}-${parentId}-01`, '01'],
    ['that is not sampled', `00-${traceId}-${parentId}-00`, '00'],
    ['of a random trace', `00-${traceId}-${parentId}-03`, '03'],
    ['with flags that nobody knows, which are not sent on', `00-${traceId}-${parentId}-ff`, '03'],
    ['of a later version', `01-${traceId}-${parentId}-01`, '01'],
    ['of a later version that says more', `cc-${traceId}-${parentId}-01-what-the-future-will-bring`, '01'],
    ['with blanks around it', ` 00-${traceId}-${parentId}-01 `, '01'],
  ])('%s is read', (_, header, flags) => {
    expect(readTraceparent(header)).toEqual({ traceId, flags });
  });

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['a list', [`00-${traceId}-${parentId}-01`]],
    ['two that were joined', `00-${traceId}-${parentId}-01, 00-${traceId}-${parentId}-01`],
    ['without a trace', `00-${'0'.repeat(32)}-${parentId}-01`],
    ['without a parent', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['in capitals', `00-${traceId.toUpperCase()}-${parentId}-01`],
    ['of the forbidden version', `ff-${traceId}-${parentId}-01`],
    ['of version 00 that says more', `00-${traceId}-${parentId}-01-more`],
    ['of version 00 with a dash too many', `00-${traceId}-${parentId}-01-`],
    ['of a later version with something other than a dash', `01-${traceId}-${parentId}-01.more`],
    ['with a short trace', `00-${traceId.slice(1)}-${parentId}-01`],
    ['with a long parent', `00-${traceId}-${parentId}0-01`],
    ['with one digit of flags', `00-${traceId}-${parentId}-1`],
    ['with other characters', `00-${'g'.repeat(32)}-${parentId}-01`],
    ['with a line break', `00-${traceId}-${parentId}-01\r\nx: y`],
  ])('that is %s is none', (_, header) => {
    expect(readTraceparent(header)).toBeUndefined();
  });

  test('that is made for a call is valid, of the same trace, and has an id of its own', () => {
    const trace = { traceId, flags: '01' };
    const [one, other] = [newTraceparent(trace), newTraceparent(trace)];
    expect(one).toMatch(new RegExp(`^00-${traceId}-(?!0{16})[0-9a-f]{16}-01$`));
    expect(one).not.toBe(other);
    expect(readTraceparent(one)).toEqual(trace);
  });

  test('can be any text: it is read or ignored, and what is read is harmless', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((rest) => `00-${traceId}-${parentId}-01${rest}`),
        ),
        (header) => {
          const trace = readTraceparent(header);
          if (trace) expect(newTraceparent(trace)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/);
        },
      ),
    );
  });
});
