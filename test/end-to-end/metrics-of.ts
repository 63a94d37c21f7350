import { gatewayKey } from '../helpers/start-gateway.ts';

/** A gateway's counters of one name: the values of one label, and how often each was counted. */
export async function metricsOf(url: string, name: string, label: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`, { headers: { 'api-key': gatewayKey } })).text();
  const lines = text.matchAll(new RegExp(`^${name}\\{[^}]*${label}="([^"]*)"[^}]*\\} (\\d+)$`, 'gm'));
  const counts: Record<string, number> = {};
  for (const [, value = '', count] of lines) counts[value] = (counts[value] ?? 0) + Number(count);
  return counts;
}
