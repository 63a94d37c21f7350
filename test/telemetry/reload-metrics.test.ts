import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { reloadMetrics } from '../../src/telemetry/reload-metrics.ts';

test('reloads are counted by result from nought, and the last success has its time, the start included', async () => {
  const registry = new Registry();
  const before = Date.now() / 1000;
  const recorder = reloadMetrics([registry]);
  const value = async (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await registry.metrics())?.[1] ?? Number.NaN);
  const at = () => value('gateway_reload_last_success_timestamp_seconds');
  const count = (result: string) => value(`gateway_reloads_total\\{result="${result}"\\}`);
  expect([await count('applied'), await count('refused')]).toEqual([0, 0]);
  const started = await at();
  expect(started).toBeGreaterThanOrEqual(before);
  recorder.reloadEnded('refused');
  expect([await count('applied'), await count('refused'), await at()]).toEqual([0, 1, started]);
  await expect.poll(() => Date.now() / 1000).toBeGreaterThan(started);
  recorder.reloadEnded('applied');
  expect([await count('applied'), await count('refused')]).toEqual([1, 1]);
  expect(await at()).toBeGreaterThan(started);
});
