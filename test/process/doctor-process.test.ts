import { describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';

async function run(models: object, env: Record<string, string> = {}) {
  const program = await startProgram({ command: 'doctor', models, env });
  const code = await program.exited;
  const { stdout, stderr } = program.output;
  expect(stdout + stderr).not.toMatch(/simulator-key|canary/);
  expect(stderr).not.toMatch(/^ +at /m);
  return { code, stdout, stderr };
}

describe('npm run doctor', () => {
  test('is well where everything that can be checked for free is', async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const { code, stdout, stderr } = await run(modelsFile(simulator.origin));
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.match(/^.* ok +ok +unknown$/gm)).toHaveLength(4);
    expect(simulator.ledger.counts()).toMatchObject({ billed: 0, received: 0 });
  });

  test('fails where anything is wrong for certain', async () => {
    const simulator = await startSimulator({ apiKey: 'another-canary' });
    onTestFinished(() => simulator.close());
    const { code, stdout } = await run(modelsFile(simulator.origin));
    expect([code, stdout]).toEqual([1, expect.stringContaining('check `apiKey`')]);
  });

  test('names a mistake of the configuration as the start does', async () => {
    const { code, stdout, stderr } = await run({ models: { one: { provider: 'azure-v1' } } });
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining('models.one')]);
  });

  test('says what an identity needs where there is none', async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const auth = { entra: { scope: 'https://cognitiveservices.azure.com/.default' } };
    const models = {
      models: { image: { provider: 'azure-v1', model: 'gpt-image-2', baseURL: simulator.origin, auth } },
    };
    const { code, stdout } = await run(models, { AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/no identity could get a token \(\w+.*az login/);
  });
});
