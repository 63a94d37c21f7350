import { expect, test } from 'vitest';
import { modes, type Phase, phases } from './held-azure.ts';
import { holdProgram, leftovers, patience } from './held-program.ts';

/** Statuses of the responses, whether the last one is whole, the exit code, and what is left on the disk. */
type End = { statuses: string[]; isWhole: boolean; exit: number; left: string[] };

async function endOf({ program, requests, dataDir }: Awaited<ReturnType<typeof holdProgram>>): Promise<End> {
  await Promise.all(requests.map(({ closed }) => closed));
  const exit = await program.exited;
  const texts = requests.map((request) => request.text());
  const isWhole = /"created(_at)?":\d+[\s\S]*0\r\n\r\n$/.test(texts.at(-1) ?? '');
  return { statuses: texts.map((text) => text.slice(9, 12)), isWhole, exit, left: await leftovers(dataDir) };
}

test.each(modes)('%s: at SIGTERM what is under way finishes, whatever its phase', async (mode) => {
  const terminateAt = async (phase: Phase) => {
    const held = await holdProgram(mode, phase);
    held.program.child.kill('SIGTERM');
    await expect.poll(() => held.program.output.stdout, patience).toContain('"draining"');
    for (const request of held.requests) request.complete();
    held.azure.release();
    return [phase, await endOf(held)];
  };
  const ends = await Promise.all(phases.map(terminateAt));
  const served = (phase: Phase) => (phase === 'permit' || phase === 'target queue' ? ['200', '200'] : ['200']);
  const expected = phases.map((phase) => [phase, { statuses: served(phase), isWhole: true, exit: 0, left: [] }]);
  expect(Object.fromEntries(ends)).toEqual(Object.fromEntries(expected));
});

test.each(modes)('%s: past the drain limit callers get what is known, and the process ends', async (mode) => {
  const cutAt = async (phase: Phase) => {
    const held = await holdProgram(mode, phase, { drainMs: 100 });
    // Ctrl-C leaves the five seconds out that load balancers need.
    held.program.child.kill('SIGINT');
    const { statuses, exit, left } = await endOf(held);
    const text = held.requests.at(-1)?.text() ?? '';
    return [
      phase,
      { statuses, exit, left, reported: /x-should-retry: false/.test(text), code: /"code":"(\w+)"/.exec(text)?.[1] },
    ];
  };
  const sent: readonly Phase[] = ['dispatched', 'headers'];
  const ends = await Promise.all(sent.map(cutAt));
  const unknown = { statuses: ['502'], exit: 0, left: [], reported: true, code: 'upstream_outcome_unknown' };
  expect(Object.fromEntries(ends)).toEqual(Object.fromEntries(sent.map((phase) => [phase, unknown])));
  const [, queued] = await cutAt('permit');
  expect(queued).toEqual({ statuses: ['502', '503'], exit: 0, left: [], reported: false, code: 'overloaded' });
  const [, begun] = await cutAt('responding');
  expect(begun).toMatchObject({ statuses: ['200'], exit: 0, left: [] });
});
