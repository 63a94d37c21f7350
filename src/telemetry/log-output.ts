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
 * The way of the log to standard output. Pipes and sockets are never waited for (files and terminals are, by Node itself):
 * while a reader is a mebibyte behind, lines are lost, and once one cannot be written, all of them. Both is told on
 * standard error.
 */
export function createLogOutput(stream: Writable = process.stdout): LogOutput {
  let isTaking = true;
  let hasFailed = false;
  let lost = 0;
  stream.on('error', ({ message }) => {
    if (!hasFailed) tell(`The log cannot be written any more: ${message}`);
    hasFailed = true;
  });
  /** Somewhat later than it was full, so that it is not told with every other line. */
  const hasRoom = () => stream.writableLength < (lost === 0 ? maxWaitingBytes : maxWaitingBytes / 2);
  const tellLost = () => {
    if (lost > 0) tell(`Lines of the log were lost: ${lost}`);
    lost = 0;
  };
  return {
    write(line) {
      if (!isTaking || hasFailed) return;
      if (hasRoom()) {
        tellLost();
        stream.write(line);
        return;
      }
      if (lost === 0) tell('The log has a reader that is too slow: lines are lost');
      lost += 1;
    },
    async end() {
      isTaking = false;
      tellLost();
      if (hasFailed) return;
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
