import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** One thing that a server does with a connection. Where a script ends without an end, the connection stays open. */
export type Step =
  | { readonly kind: 'write'; readonly bytes: Buffer }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'until'; readonly event: Promise<void> }
  | { readonly kind: 'fin' }
  | { readonly kind: 'reset' };

export const write = (bytes: Buffer | string): Step => ({ kind: 'write', bytes: Buffer.from(bytes) });
export const wait = (ms: number): Step => ({ kind: 'wait', ms });
/** Goes on when something else has happened. */
export const after = (event: Promise<void>): Step => ({ kind: 'until', event });
export const fin: Step = { kind: 'fin' };
export const reset: Step = { kind: 'reset' };

/** These bytes one by one. */
export const drip = (bytes: Buffer, everyMs: number): Step[] =>
  [...bytes].flatMap((byte) => [write(Buffer.of(byte)), wait(everyMs)]);

/** Plays a script on a connection, and ends with it. `raw` is the connection below TLS. */
export async function play(steps: readonly Step[], socket: Socket, raw: Socket): Promise<void> {
  const closed = new AbortController();
  raw.once('close', () => closed.abort());
  for (const step of steps) {
    if (socket.destroyed || raw.destroyed) return;
    await perform(step, socket, raw, closed.signal).catch(() => {});
  }
}

async function perform(step: Step, socket: Socket, raw: Socket, signal: AbortSignal): Promise<void> {
  switch (step.kind) {
    case 'write':
      if (!socket.write(step.bytes)) await once(socket, 'drain', { signal });
      return;
    case 'wait':
      await pause(step.ms, undefined, { signal });
      return;
    case 'until':
      await step.event;
      return;
    case 'fin':
      socket.end();
      return;
    case 'reset':
      raw.resetAndDestroy();
  }
}
