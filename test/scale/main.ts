import { modes } from '../crash/matrix/modes.ts';
import { playMode, playRandomTimes } from '../crash/matrix/play-chain.ts';
import { playRounds } from '../crash/matrix/play-rounds.ts';
import { shortLease } from './replicas.ts';
import { setup } from './start-engines.ts';

// `npm run crash:scale -- ROUNDS [--seed N]`: kills one of two and of three gateways that share a database and an object store,
// at each point of each mode, and at random times, so many times over.

const randomKills = 12;

const stop = await setup();
await playRounds((options, round) => {
  const of = (gateways: number) => ({ ...options, gateways, stores: { lease: shortLease } });
  return [
    ...modes.map((mode) => playMode(mode, of(2 + (round % 2)))),
    ...[2, 3].map((gateways) => playRandomTimes(randomKills, of(gateways))),
  ];
});
await stop();
