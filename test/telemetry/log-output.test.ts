import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLogOutput } from '../../src/telemetry/log-output.ts';

test('at the end of the log its reader gets every line, although it is slow', async () => {
  const read: string[] = [];
  const slowReader = new Writable({
    async write(chunk, _encoding, done) {
      await turn();
      read.push(String(chunk));
      done();
    },
  });
  const output = createLogOutput(slowReader);
  const lines = Array.from({ length: 1_000 }, (_, n) => `${n}\n`);
  for (const line of lines) output.write(line);
  await output.end();
  output.write('too late\n');
  await turn();
  expect(read.join('')).toBe(lines.join(''));
});
