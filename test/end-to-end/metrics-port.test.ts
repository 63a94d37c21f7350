import { expect, test } from 'vitest';
import { startProgram } from './program.ts';
import { modelsFile } from './rig.ts';

const models = modelsFile('https://one.openai.azure.com');

test('METRICS_PORT serves the metrics, and only these, without a key; the other port goes on to require one', async () => {
  const program = await startProgram({ models, env: { METRICS_PORT: '0' } });
  const url = await program.listening();
  const [, metricsUrl = ''] = /"metricsUrl":"([^"]+)"/.exec(program.output.stdout) ?? [];
  expect(new URL(metricsUrl).origin).not.toBe(url);
  const response = await fetch(metricsUrl);
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('gateway_requests_in_flight 0');
  expect((await fetch(new URL('/v1/models', metricsUrl))).status).toBe(404);
  expect((await fetch(`${url}/metrics`)).status).toBe(401);
  expect((await fetch(`${url}/metrics`, { headers: { 'api-key': 'program-key' } })).status).toBe(200);
  program.child.kill('SIGINT');
  expect(await program.exited).toBe(0);
});

test('without METRICS_PORT there is no other port', async () => {
  const program = await startProgram({ models });
  await program.listening();
  expect(program.output.stdout).not.toContain('metricsUrl');
});
