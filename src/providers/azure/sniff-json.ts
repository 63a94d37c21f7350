import { replay } from '../../concurrency/replay.ts';
import type { Attempt } from '../../domain/image-provider.ts';
import { paidCallError } from '../../upstream/paid-call-error.ts';

/**
 * Looks at the beginning of a body: JSON, or anything else (an event stream, HTML, nothing). `whole` is the body from
 * its first byte on. Rejects with a GatewayError when the body breaks before it says anything.
 */
export async function sniffJson(
  body: AsyncIterable<Buffer>,
  attempt: Attempt,
): Promise<{ isJson: boolean; whole: AsyncIterable<Buffer> }> {
  const rest = body[Symbol.asyncIterator]();
  const seen: Buffer[] = [];
  let first: number | undefined;
  try {
    while (first === undefined) {
      const { value, done } = await rest.next();
      if (done) break;
      seen.push(value);
      first = value.find((byte: number) => byte > 0x20 && byte < 0x80);
    }
  } catch (error) {
    throw paidCallError(error, attempt);
  }
  // `e`vent, `d`ata, `i`d, `r`etry and `:` begin an event stream; what is neither is judged as the JSON it should be.
  const isStream = first !== undefined && /[a-z:]/.test(String.fromCharCode(first));
  return { isJson: !isStream, whole: replay(seen, rest) };
}
