import { parseArgs } from 'node:util';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { bundleGateway } from './matrix/bundle-gateway.ts';
import { Tally } from './matrix/judgement.ts';
import { modes } from './matrix/modes.ts';
import { playMode, playRandomTimes } from './matrix/play-chain.ts';

// `npm run crash -- ROUNDS [--seed N]`: kills gateways at each point of each mode, and at random times, so many times over.

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' } },
});
const rounds = Number(positionals[0] ?? 1);
const randomKills = 8;

await using bundle = await bundleGateway();
const tally = new Tally();
const begin = performance.now();
for (let round = 0; round < rounds; round += 1) {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  const options = { entry: bundle.entry, simulator, seed: Number(values.seed) + round };
  const chains = [...modes.map((mode) => playMode(mode, options)), playRandomTimes(randomKills, options)];
  for (const { results, kills } of await Promise.all(chains)) tally.add(results, kills);
  await simulator.close();
  process.stdout.write(`round ${round + 1}, ${Math.round((performance.now() - begin) / 1_000)} s: ${tally.line}\n`);
}
for (const problem of tally.problems) process.stdout.write(`${problem}\n`);
if (tally.problems.length > 0) process.exitCode = 1;
