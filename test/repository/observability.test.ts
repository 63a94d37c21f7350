import { readFileSync } from 'node:fs';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { adaptations } from '../../src/parameters/adaptations.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';

const document = readFileSync('docs/observability.md', 'utf8');
const dashboardText = readFileSync('docs/grafana-dashboard.json', 'utf8');

type Panel = { title: string; type: string; targets?: { expr: string; legendFormat: string }[] };

const dashboard = JSON.parse(dashboardText) as { panels: Panel[] };
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets);

/** Every metric by its name, with its labels and its type. */
async function metrics(): Promise<Map<string, { readonly type: string }>> {
  const text = await createTelemetry(pino({ level: 'silent' })).metrics();
  return new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, { type }]));
}

/** The rows of the document's table: name → labels. */
const rows = new Map(
  [...document.matchAll(/^\| `(gateway_\w+)` \|(.*?)\| /gm)].map(([, name = '', labels = '']) => [
    name,
    [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
  ]),
);

/** A sample's name without the suffixes of histograms. */
function metricOf(name: string): string {
  return name.replace(/_(bucket|sum|count)$/, '');
}

test('docs/observability.md has every metric of the gateway, and no other', async () => {
  const own = [...(await metrics()).keys()].filter((name) => name.startsWith('gateway_'));
  expect(own.length).toBeGreaterThan(20);
  expect([...rows.keys()].sort()).toEqual(own.sort());
});

test.each(['docs/operations.md', 'docs/failures.md', 'docs/observability.md', 'docs/security.md'])(
  '%s names only metrics that exist',
  async (file) => {
    const known = await metrics();
    const named = [...readFileSync(file, 'utf8').matchAll(/\bgateway_[a-z_]+[a-z]\b/g)].map(([name]) => name);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  },
);

describe('docs/grafana-dashboard.json', () => {
  test('queries only metrics that exist, and every one of the gateway', async () => {
    const known = await metrics();
    const queried = queries.flatMap(({ expr }) => expr.match(/\b(gateway|process|nodejs)_\w+/g) ?? []);
    // A metric whose own name ends like a histogram's sample is not a histogram.
    const names = queried.map((name) => (known.has(name) ? name : metricOf(name)));
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    expect([...rows.keys()].filter((name) => !names.includes(name))).toEqual([]);
  });

  test('queries the buckets of histograms', async () => {
    const known = await metrics();
    const histograms = [...known].filter(([name, { type }]) => type === 'histogram' && name.startsWith('gateway_'));
    expect(histograms.length).toBeGreaterThan(2);
    for (const [name] of histograms) {
      expect(queries.filter(({ expr }) => expr.includes(name)).map(({ expr }) => expr)).toEqual(
        queries.filter(({ expr }) => expr.includes(`${name}_bucket[`)).map(({ expr }) => expr),
      );
    }
  });

  test('uses only labels that the metrics have', () => {
    for (const { expr, legendFormat } of queries) {
      const [, name = ''] = /\b(gateway_\w+)/.exec(expr) ?? [];
      const labels = rows.get(metricOf(name)) ?? rows.get(name);
      if (labels === undefined) continue;
      const by = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
      const chosen = [...expr.matchAll(/[{,](\w+)!?="/g)].map(([, label]) => label);
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      const known = [...labels, 'le', 'instance'];
      expect([...by, ...chosen, ...shown].filter((label) => !known.includes(label))).toEqual([]);
    }
  });

  test('lets the reader choose the data source, and has no two panels with one id', () => {
    expect(dashboardText.match(/"uid": "(?!\$\{datasource\}|azure-image-gateway)/g)).toBeNull();
    const ids = dashboardText.match(/^ {6}"id": \d+/gm) ?? [];
    expect(new Set(ids).size).toBe(dashboard.panels.length);
  });
});

test('labels of adaptations contain nothing that a client has written', () => {
  expect(adaptations.every(({ name }) => /^[\w=>-]+$/.test(name))).toBe(true);
});

test('docs/observability.md has every field of the log line of a request', () => {
  const source = readFileSync('src/telemetry/log-lines.ts', 'utf8');
  const bodies = source.matchAll(/export function (?:request|generation)Line(.*?)\n}\n/gs);
  const body = [...bodies].map(([, text]) => text).join('\n');
  const fields = [...body.matchAll(/^\s*(?:\.\.\.\(.*?\{ )?(\w+)(?::| \}|,)/gm)].map(([, name]) => name);
  const documented = [...document.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(fields).toEqual(expect.arrayContaining(['requestId', 'bytesIn', 'promptHash', 'upstreamMs', 'images']));
  expect(fields.filter((name) => name !== undefined && /^[a-z]/.test(name) && !documented.includes(name))).toEqual([]);
});
