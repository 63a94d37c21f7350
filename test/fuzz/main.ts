import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

// `npm run fuzz -- [--seed N] [--count N]`: the fuzzing of the checks with other inputs, and with more of them. What it
// prints first repeats the run.
const { values } = parseArgs({ options: { seed: { type: 'string' }, count: { type: 'string' } } });
const seed = wholeNumber('seed', values.seed) ?? randomInt(1, 2 ** 31);
const count = wholeNumber('count', values.count) ?? 200_000;

process.stdout.write(`To repeat this run: npm run fuzz -- --seed ${seed} --count ${count}\n`);
const program = spawn('vitest', ['run', '--config', 'test/fuzz/vitest.config.ts'], {
  stdio: 'inherit',
  env: { ...process.env, FUZZ_SEED: String(seed), FUZZ_COUNT: String(count) },
});
program.once('close', (code) => {
  process.exitCode = code ?? 1;
});

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined || (/^\d{1,10}$/.test(text) && Number(text) > 0 && Number(text) < 2 ** 31)) {
    return text === undefined ? undefined : Number(text);
  }
  process.stderr.write(`--${name} must be a whole number from 1 to ${2 ** 31 - 1}, and is '${text}'.\n`);
  process.exit(2);
}
