import { modes } from './matrix/modes.ts';
import { playMode, playRandomTimes } from './matrix/play-chain.ts';
import { playRounds } from './matrix/play-rounds.ts';

// `npm run crash -- ROUNDS [--seed N]`: kills gateways at each point of each mode, and at random times, so many times over.

const randomKills = 8;

await playRounds((options) => [...modes.map((mode) => playMode(mode, options)), playRandomTimes(randomKills, options)]);
