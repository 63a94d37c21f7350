import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../../test/scale/engines/postgres.ts';
import { startChild } from '../children.ts';
import type { Figure } from '../figure.ts';
import type { Part } from '../part.ts';
import { Rounds } from '../rounds.ts';

const processCounts = [1, 2, 4];

const program = fileURLToPath(new URL('../contestants/claim-jobs.ts', import.meta.url));

/**
 * How many jobs a second go through a database: each one is claimed, recorded before its call, and ended. The database has one
 * processor, and all processes share another one.
 */
export const replicas: Part = {
  name: 'replicas',
  async run({ rounds, isQuick }) {
    await using server = await startPostgres();
    const ms = isQuick ? 1_000 : 4_000;
    const measured = new Map(processCounts.map((count) => [count, new Rounds()]));
    for (let round = 0; round < rounds; round += 1) {
      for (const count of processCounts)
        measured.get(count)?.add('gateway', await jobsPerSecond(server.url, count, ms));
    }
    return [...measured].map(([count, values]): Figure => {
      const name = `jobs a second in PostgreSQL, ${count} ${count === 1 ? 'process' : 'processes'}`;
      return { part: 'replicas', name, unit: '1/s', values: values.spreads(), goals: [] };
    });
  },
};

async function jobsPerSecond(url: string, processes: number, ms: number): Promise<number> {
  const children = Array.from({ length: processes }, () => startChild('contestant', [process.execPath, program, url]));
  // All of them are ready.
  await Promise.all(children.map((child) => once(child, 'message')));
  const counts = children.map(async (child) => {
    const counted = once(child, 'message');
    child.send(ms);
    const [count] = await counted;
    return Number(count);
  });
  const all = await Promise.all(counts);
  await Promise.all(children.map((child) => once(child, 'exit')));
  return all.reduce((sum, count) => sum + count, 0) / (ms / 1_000);
}
