import type { Readable } from 'node:stream';

/** Closes a body that nobody reads; how its connection ends then is of no interest. */
export function discardBody(body: Readable): void {
  body.on('error', () => {}).destroy();
}
