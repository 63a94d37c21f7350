import type { ChildProcess } from 'node:child_process';
import type { Call } from '../driver/call.ts';
import type { Column } from '../figure.ts';
import type { Scenario } from '../scenario.ts';

/** A program between the driver and the upstream that is measured. */
export interface Contestant {
  readonly column: Column;
  /** Undefined where there is none in between. */
  readonly child: ChildProcess | undefined;
  /** How it is asked for a response of the upstream. */
  call(scenario: Scenario): Call;
}

export const prompt = 'A watercolour of a lighthouse at dusk, seen from a small boat, with gulls and a storm coming up';
export const jsonType = { 'content-type': 'application/json' };
export const key = 'key-of-the-benchmark';

/** The min length of the response: the images alone, without what is around them. */
export function minBytes({ kind, bytes }: Scenario): number {
  return kind === 'link' ? 0 : Math.floor((bytes * 4) / 3) * (kind === 'events' ? 4 : 1);
}

/** What every contestant is asked for. */
export function bodyFor(model: string, { kind }: Scenario): string {
  const stream = kind === 'events' ? { stream: true, partial_images: 3 } : {};
  return JSON.stringify({ model, prompt, size: '1024x1024', quality: 'high', ...stream });
}
