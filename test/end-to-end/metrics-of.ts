import { samplesLike } from './samples-of.ts';

/** A gateway's counters of one name: the values of one label, and how often each was counted. */
export async function metricsOf(url: string, name: string, label: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [labels, count] of Object.entries(await samplesLike(url, `${name}{`))) {
    const [, value] = new RegExp(`\\b${label}="([^"]*)"`).exec(labels) ?? [];
    if (value !== undefined) counts[value] = (counts[value] ?? 0) + count;
  }
  return counts;
}
