import { writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { DestinationStream } from 'pino';

export interface LogOutput extends DestinationStream {
  /** Takes no more lines. Resolves when the others are written, or cannot be, and after two seconds in any case. */
  end(): Promise<void>;
}

const maxWaitingBytes = 1024 * 1024;
const endMs = 2_000;
const errorDescriptor = 2;

/**
 * The way of the log to standard output, as it is by default. It never stands in the way of the work that is logged: lines
 * are lost once one cannot be written, and while a reader is a mebibyte behind; each of these is told once on standard error.
 */
export function createLogOutput(stream: Writable = process.stdout): LogOutput {
  let isOpen = true;
  let isBehind = false;
  stream.on('error', ({ message }) => {
    if (isOpen) tell(`The log cannot be written any more: ${message}`);
    isOpen = false;
  });
  return {
    write(line) {
      if (!isOpen) return;
      if (stream.writableLength < maxWaitingBytes) {
        stream.write(line);
      } else if (!isBehind) {
        isBehind = true;
        tell('The log has a reader that is too slow: lines are lost');
      }
    },
    async end() {
      if (!isOpen) return;
      isOpen = false;
      const { promise: written, resolve } = Promise.withResolvers<unknown>();
      stream.write('', resolve);
      await Promise.race([written, wait(endMs, undefined, { ref: false })]);
    },
  };
}

function tell(what: string): void {
  try {
    writeSync(errorDescriptor, `${what}\n`);
  } catch {
    // Where the log has ended, standard error often has, too.
  }
}
