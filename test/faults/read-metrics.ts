import type { AttemptEnd } from '../../src/domain/recorder.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';

export type Metrics = {
  readonly text: string;
  /** Calls of the Images API that have ended. */
  readonly calls: number;
  /** Paid calls by how they ended. */
  readonly ends: Readonly<Partial<Record<AttemptEnd, number>>>;
};

export async function readMetrics(url: string): Promise<Metrics> {
  const response = await fetch(`${url}/metrics`, { headers: { 'api-key': gatewayKey, connection: 'close' } });
  const text = await response.text();
  const calls = samples(text, /^gateway_requests_total\{route="\/v1\/images\/[^}]*\} (\d+)$/gm);
  const ends = samples(text, /^gateway_upstream_attempts_total\{[^}]*outcome="([^"]*)"[^}]*\} (\d+)$/gm);
  return {
    text,
    calls: calls.reduce((sum, [count]) => sum + Number(count), 0),
    ends: sumsOf(ends.map(([end = '', count]) => [end, Number(count)])),
  };
}

/** Each target has a line of its own. */
function sumsOf(entries: readonly (readonly [string, number])[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, count] of entries) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

function samples(text: string, pattern: RegExp): string[][] {
  return [...text.matchAll(pattern)].map(([, ...groups]) => groups);
}
