import { constants, openSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLogOutput } from '../../src/telemetry/log-output.ts';
import { openPipe } from '../helpers/open-pipe.ts';

test('at the end of the log its reader gets every line, although it is slow', async () => {
  const pipe = await openPipe();
  // The log closes what it writes to.
  const descriptor = openSync(`/proc/self/fd/${pipe.fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  const output = createLogOutput(descriptor);
  const lines = Array.from({ length: 1_000 }, (_, n) => `${n} ${'x'.repeat(100)}\n`).join('');
  for (const line of lines.split(/(?<=\n)/)) output.write(line);
  const ended = output.end();
  let text = '';
  while (text.length < lines.length) {
    // Where there is nothing to read, the reading fails.
    const read = await pipe.read({ buffer: Buffer.alloc(16_384) }).catch(() => undefined);
    text += read?.buffer.toString('utf8', 0, read.bytesRead) ?? '';
    await turn();
  }
  expect(text).toBe(lines);
  await ended;
  expect(() => output.write('too late\n')).not.toThrow();
});
