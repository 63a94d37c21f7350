import { setTimeout as wait } from 'node:timers/promises';
import { replay } from '../concurrency/replay.ts';
import type { ResponseBody } from './exchange.ts';
import type { BoundedText } from './read-bounded.ts';

/** The beginning of a body, and the whole of it to be read after all: what was read ahead, and the rest as it arrives. */
export type PeekedBody = BoundedText & { readonly whole: AsyncIterable<Buffer> };

/** Reads a body ahead, about `bytes` of it and for at most `ms`; `broken` stands for too slow, too. Never rejects. */
export async function peekBody(
  body: ResponseBody,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): Promise<PeekedBody> {
  const rest = body[Symbol.asyncIterator]();
  const limit = new AbortController();
  const late = wait(ms, undefined, { signal: limit.signal }).catch(() => undefined);
  const seen: Buffer[] = [];
  let length = 0;
  let end: BoundedText['end'] = 'too long';
  /** What was asked for, and is still to be handed on. */
  let next: Promise<IteratorResult<Buffer, unknown>> | undefined;
  while (length <= bytes) {
    next = rest.next();
    const result = await Promise.race([next, late]).catch(() => undefined);
    if (result === undefined || result.done) {
      end = result?.done ? 'complete' : 'broken';
      break;
    }
    next = undefined;
    length += result.value.length;
    seen.push(result.value);
  }
  limit.abort();
  return { text: Buffer.concat(seen).toString(), end, whole: replay(seen, startingWith(next, rest)) };
}

/** The rest of a body, whose next piece has been asked for already. */
function startingWith(
  next: Promise<IteratorResult<Buffer, unknown>> | undefined,
  rest: AsyncIterator<Buffer>,
): AsyncIterator<Buffer> {
  let asked = next;
  return {
    next() {
      const first = asked;
      asked = undefined;
      return first ?? rest.next();
    },
    return: async () => (await rest.return?.()) ?? { value: undefined, done: true },
  };
}
