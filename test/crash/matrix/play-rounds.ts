import { parseArgs } from 'node:util';
import { startSimulator } from '../../../simulator/start-simulator.ts';
import { bundleGateway } from './bundle-gateway.ts';
import { Tally } from './judgement.ts';
import type { ChainOptions, Played } from './play-chain.ts';

/**
 * Plays as many rounds as the command line says (`ROUNDS [--seed N]`), prints what came of each, and lets the process fail when
 * anything was wrong.
 * @param chainsOf the chains of a round, which are played at the same time
 */
export async function playRounds(
  chainsOf: (options: ChainOptions, round: number) => readonly Promise<Played>[],
): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: 'string', default: '1' } },
  });
  const rounds = Number(positionals[0] ?? 1);
  await using bundle = await bundleGateway();
  const tally = new Tally();
  const begin = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
    const options = { entry: bundle.entry, simulator, seed: Number(values.seed) + round };
    const known = tally.problems.length;
    for (const { results, kills } of await Promise.all(chainsOf(options, round))) tally.add(results, kills);
    await simulator.close();
    process.stdout.write(`round ${round + 1}, ${Math.round((performance.now() - begin) / 1_000)} s: ${tally.line}\n`);
    for (const problem of tally.problems.slice(known)) process.stdout.write(`${problem}\n`);
  }
  if (tally.problems.length > 0) process.exitCode = 1;
}
