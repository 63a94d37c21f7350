import { parseArgs } from 'node:util';
import { setup } from './start-engines.ts';

// `npm run crash:scale -- ROUNDS [--seed N]`: kills one of two and of three gateways that share a database and an object store,
// at each point of each mode, so many times over.

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' } },
});
const rounds = Number(positionals[0] ?? 1);
const lease = { validMs: 4_000, renewEveryMs: 500 };

const stop = await setup();
// They read where the servers are when they are loaded.
const { bundleGateway } = await import('../crash/matrix/bundle-gateway.ts');
const { Tally } = await import('../crash/matrix/judgement.ts');
const { modes } = await import('../crash/matrix/modes.ts');
const { playMode, playRandomTimes } = await import('../crash/matrix/play-chain.ts');
const { startSimulator } = await import('../../simulator/start-simulator.ts');

const bundle = await bundleGateway();
const tally = new Tally();
const begin = performance.now();
for (let round = 0; round < rounds; round += 1) {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  const options = { entry: bundle.entry, simulator, seed: Number(values.seed) + round, stores: { lease } };
  const gateways = 2 + (round % 2);
  const chains = [
    ...modes.map((mode) => playMode(mode, { ...options, gateways })),
    playRandomTimes(12, { ...options, gateways: 2 }),
    playRandomTimes(12, { ...options, gateways: 3 }),
  ];
  const known = tally.problems.length;
  for (const { results, kills } of await Promise.all(chains)) tally.add(results, kills);
  await simulator.close();
  process.stdout.write(`round ${round + 1}, ${Math.round((performance.now() - begin) / 1_000)} s: ${tally.line}\n`);
  for (const problem of tally.problems.slice(known)) process.stdout.write(`${problem}\n`);
}
if (tally.problems.length > 0) process.exitCode = 1;
await bundle[Symbol.asyncDispose]();
await stop();
