import type { IncomingHttpHeaders } from 'node:http';
import type { ResponseBody } from './exchange.ts';

/** Whether a body says itself where it ends; one that ends with its connection may have been cut. */
export function isFramed(headers: IncomingHttpHeaders): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

export type BoundedText = { readonly text: string; readonly end: 'complete' | 'too long' | 'broken' };

/**
 * The text of a small body, at most `bytes` long and read for at most `ms`; `broken` stands for too slow, too. It never
 * rejects, so that a failed read cannot hide the failure whose details were being read.
 */
export async function readBounded(
  body: ResponseBody,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): Promise<BoundedText> {
  const timer = setTimeout(() => body.destroy(), ms);
  const chunks: Buffer[] = [];
  let length = 0;
  let end: BoundedText['end'] = 'broken';
  try {
    for await (const chunk of body) {
      length += chunk.length;
      if (length > bytes) break;
      chunks.push(chunk);
    }
    if (length > bytes) end = 'too long';
    else if (body.readableEnded) end = 'complete';
  } catch {
    end = 'broken';
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  return { text: Buffer.concat(chunks).toString(), end };
}
