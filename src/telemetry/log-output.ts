import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import pino, { type DestinationStream } from 'pino';

export interface LogOutput extends DestinationStream {
  /** Takes no more lines. Resolves when the others are written, or cannot be, and after two seconds in any case. */
  end(): Promise<void>;
}

const maxWaitingBytes = 1024 * 1024;
const endMs = 2_000;
const errorDescriptor = 2;

/**
 * The way of the log to a file descriptor. It never stands in the way of the work that is logged: lines are lost once one
 * cannot be written, and while a reader is a mebibyte behind; each of these is told once on standard error.
 */
export function createLogOutput(descriptor: number): LogOutput {
  const stream = pino.destination({ dest: descriptor, sync: false, maxLength: maxWaitingBytes });
  // It is called at the exit, and would try again for ever, whatever the error is.
  stream.flushSync = () => {};
  let isOpen = true;
  // Comes twice for most errors.
  stream.on('error', ({ message }) => {
    if (isOpen) tell(`The log cannot be written any more: ${message}`);
    isOpen = false;
    stream.destroy();
  });
  stream.once('drop', () => tell('The log has a reader that is too slow: lines are lost'));
  return {
    write(line) {
      if (isOpen) stream.write(line);
    },
    async end() {
      if (!isOpen) return;
      isOpen = false;
      const closed = once(stream, 'close').catch(() => {});
      stream.end();
      await Promise.race([closed, wait(endMs, undefined, { ref: false })]);
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
