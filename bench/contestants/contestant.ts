import type { ChildProcess } from 'node:child_process';
import type { Call } from '../driver/call.ts';
import type { Column } from '../figure.ts';
import type { Scenario } from '../scenario.ts';

/** Somebody who stands between the driver and the upstream, and is measured. */
export interface Contestant {
  readonly column: Column;
  /** Undefined where nobody stands in between. */
  readonly child: ChildProcess | undefined;
  /** How it is asked for an answer of the upstream. */
  call(scenario: Scenario): Call;
}

export const prompt = 'A watercolour of a lighthouse at dusk, seen from a small boat, with gulls and a storm coming up';
export const jsonType = { 'content-type': 'application/json' };
export const key = 'key-of-the-benchmark';

/** The least that the answer holds: what stands around the images is more. */
export function minBytes({ kind, bytes }: Scenario): number {
  return kind === 'link' ? 0 : Math.floor((bytes * 4) / 3) * (kind === 'events' ? 4 : 1);
}

/** What every contestant is asked for. */
export function bodyFor(model: string, { kind }: Scenario): string {
  const stream = kind === 'events' ? { stream: true, partial_images: 3 } : {};
  return JSON.stringify({ model, prompt, size: '1024x1024', quality: 'high', ...stream });
}
