import { expect, test } from 'vitest';
import { startProgram } from '../end-to-end/program.ts';
import { type Mode, modes, type Phase, phases } from './held-azure.ts';
import { holdProgram, keptImages, leftovers, patience } from './held-program.ts';
import { sendRequest } from './held-request.ts';

/** Accepted work is followed to its end, for the client that may come back. */
function isFollowed(mode: Mode, phase: Phase): boolean {
  return mode === 'C submit and poll' && (phase === 'headers' || phase === 'responding');
}

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
    const kept = isFollowed(mode, phase) ? 1 : 0;
    await expect.poll(() => keptImages(dataDir), patience).toHaveLength(kept);
    const left = await leftovers(dataDir);
    return [phase, { left: left.slice(kept), connections, restarted }];
  };
  const ends = await Promise.all(phases.map(killAt));
  expect(Object.fromEntries(ends)).toEqual(Object.fromEntries(phases.map((phase) => [phase, clean])));
});
