import pino from 'pino';
import { expect, test } from 'vitest';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';

test('reloads are counted by result from nought, and the last success has its time, the start included', async () => {
  const before = Date.now() / 1000;
  const telemetry = createTelemetry(pino({ level: 'silent' }));
  const value = async (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await telemetry.metrics())?.[1] ?? Number.NaN);
  const at = () => value('gateway_reload_last_success_timestamp_seconds');
  const count = (result: string) => value(`gateway_reloads_total\\{result="${result}"\\}`);
  expect([await count('applied'), await count('refused')]).toEqual([0, 0]);
  const started = await at();
  expect(started).toBeGreaterThanOrEqual(before);
  telemetry.reloadEnded('refused');
  expect([await count('applied'), await count('refused'), await at()]).toEqual([0, 1, started]);
  await expect.poll(() => Date.now() / 1000).toBeGreaterThan(started);
  telemetry.reloadEnded('applied');
  expect([await count('applied'), await count('refused')]).toEqual([1, 1]);
  expect(await at()).toBeGreaterThan(started);
});
