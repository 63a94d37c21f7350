import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

// Loaded into a gateway process with --import: it looks at its files every 100 ms instead of every five seconds.

const { setInterval } = timers;
timers.setInterval = (ms, ...rest) => setInterval(ms === 5_000 ? 100 : ms, ...rest);
syncBuiltinESMExports();
