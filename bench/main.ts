// `npm run bench`: all parts, or those that are named; `--quick` for work on the benchmark itself, `--save` to keep it.
import { loadavg } from 'node:os';
import { pinThisProcess } from './cores.ts';
import { startDriver } from './driver/start-driver.ts';
import type { Figure } from './figure.ts';
import { describeMachine } from './machine.ts';
import { readArguments } from './read-arguments.ts';
import { tableOf } from './table.ts';
import { startUpstream } from './upstream/start-upstream.ts';
import { writeResult } from './write-result.ts';

const { chosen, isQuick, isSaved, before } = readArguments();
const print = (text: string) => process.stdout.write(`${text}\n`);

const begin = performance.now();
const machine = describeMachine();
pinThisProcess();
for (const [name, value] of Object.entries(machine)) print(`${name}: ${value}`);

const rounds = isQuick ? 2 : 5;
const bench = { upstream: await startUpstream(), driver: startDriver(), rounds, isQuick, before };
const figures: Figure[] = [];
const failures: string[] = [];
for (const part of chosen) {
  const partBegin = performance.now();
  const found = await part.run(bench).catch((error: unknown) => {
    failures.push(`${part.name} could not be measured: ${error}`);
    return [];
  });
  figures.push(...found);
  print(`\n${part.name} (${Math.round((performance.now() - partBegin) / 1000)} s)\n\n${tableOf(found)}`);
}

const seconds = Math.round((performance.now() - begin) / 1000);
const missed = figures.flatMap(({ name, goals }) =>
  goals.filter(({ holds }) => holds === false).map(({ level, text }) => `${level} not met: ${name}: ${text}`),
);
const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
const result = {
  command,
  at: new Date().toISOString(),
  seconds,
  rounds,
  machine,
  loadAfter: loadavg()[0],
  failures,
  figures,
};
print(`${seconds} s, ${rounds} rounds; the figures are in ${await writeResult(result, { isSaved })}`);
for (const line of [...failures, ...missed]) print(line);
process.exit(failures.length > 0 ? 1 : 0);
