import { expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';
import { modes } from './held-azure.ts';
import { sendRequest } from './held-request.ts';

// A heap that a handful of images would fill: either the process lives, or it dies without having bought twice.
test.each(modes)('%s: a heap of 64 MB is enough for ten images of 12 MB at once', async (mode) => {
  const simulator = await startSimulator({ operationMs: 50, partialMs: 1 });
  onTestFinished(() => simulator.close());
  const models = modelsFile(simulator.origin);
  const program = await startProgram({ models, nodeOptions: ['--max-old-space-size=64'] });
  const url = await program.listening();
  const requests = Array.from({ length: 10 }, () =>
    // So long an input is not drawn by the simulator, which could not read it.
    sendRequest(url, mode, {
      padding: 9_000_000,
      isWhole: true,
      prompt: mode === 'D events' ? 'simulate:stream-big-12' : 'simulate:big-12',
    }),
  );
  await Promise.all(requests.map(({ closed }) => closed));
  expect(requests.map((request) => request.text().slice(9, 12))).toEqual(requests.map(() => '200'));
  expect(simulator.ledger.counts().billed).toBe(mode === 'F two calls' ? 20 : 10);
  expect(program.child.exitCode).toBeNull();
});
