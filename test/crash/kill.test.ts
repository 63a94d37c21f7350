import { expect, test } from 'vitest';
import { startProgram } from '../end-to-end/program.ts';
import { modes, type Phase, phases } from './held-azure.ts';
import { holdProgram, leftovers, patience } from './held-program.ts';
import { sendRequest } from './held-request.ts';

const clean = { left: [], connections: 0, restarted: 'HTTP/1.1 200 OK' };

test.each(modes)('%s: killed at any phase, the gateway starts again clean, and serves', async (mode) => {
  const killAt = async (phase: Phase) => {
    const { program, azure, dataDir, models } = await holdProgram(mode, phase);
    program.child.kill('SIGKILL');
    await program.exited.catch(() => {});
    await expect.poll(() => azure.connections, patience).toBe(0);
    const { connections } = azure;
    azure.release();
    const next = await startProgram({ models, env: { DATA_DIR: dataDir } });
    const request = sendRequest(await next.listening(), mode, { isWhole: true });
    await request.closed;
    const [restarted] = request.text().split('\r\n');
    return [phase, { left: await leftovers(dataDir), connections, restarted }];
  };
  const ends = await Promise.all(phases.map(killAt));
  expect(Object.fromEntries(ends)).toEqual(Object.fromEntries(phases.map((phase) => [phase, clean])));
});
