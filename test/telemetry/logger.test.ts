import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLogOutput } from '../../src/telemetry/logger.ts';

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

test('a reader that falls behind loses lines, and gets those that come after it has caught up', async () => {
  const held: (() => void)[] = [];
  const read: string[] = [];
  const heldReader = new Writable({
    write(chunk, _encoding, done) {
      read.push(String(chunk));
      held.push(done);
    },
  });
  const output = createLogOutput(heldReader);
  const long = `${'x'.repeat(2 ** 20)}\n`;
  for (const line of [long, 'lost\n', 'lost, too\n']) output.write(line);
  held.shift()?.();
  await turn();
  output.write('here again\n');
  expect(read).toEqual([long, 'here again\n']);
});
