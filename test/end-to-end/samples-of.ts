import { gatewayKey } from '../helpers/start-gateway.ts';

/** A gateway's own metrics: each sample by its name with its labels, without buckets. */
export async function samplesOf(url: string): Promise<Record<string, number>> {
  const response = await fetch(`${url}/metrics`, { headers: { 'api-key': gatewayKey } });
  const lines = (await response.text())
    .split('\n')
    .filter((line) => line.startsWith('gateway_') && !/_bucket\{/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

/** Those whose names begin like this, by their labels or the rest of their name. */
export async function samplesLike(url: string, beginning: string): Promise<Record<string, number>> {
  const own = Object.entries(await samplesOf(url)).filter(([name]) => name.startsWith(beginning));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(beginning.length), value]));
}
