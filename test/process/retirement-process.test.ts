import { expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';

/** Three days from now, in UTC. */
const soon = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
const warning = `model image, target 1: gpt-image-2 is retired on ${soon}, in 3 days (\`retires\`)`;

async function soonRetired(): Promise<object> {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return modelsFile(simulator.origin, 60_000, { retires: soon });
}

test.each(['check', 'doctor'] as const)('npm run %s warns of a model that will be retired soon', async (command) => {
  const program = await startProgram({ command, models: await soonRetired() });
  expect(await program.exited).toBe(0);
  expect(program.output.stdout).toContain(`Warning: ${warning}\n`);
});

test('so does the start, in the log', async () => {
  const program = await startProgram({ models: await soonRetired() });
  await program.listening();
  await expect.poll(() => program.output.stdout, { timeout: 60_000 }).toContain(`"msg":${JSON.stringify(warning)}`);
});
