import { writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import pino, { type DestinationStream, type Logger } from 'pino';
import { prettyLine } from './pretty-line.ts';

type Options = {
  readonly level: string;
  /** For people at a terminal instead of log collectors. */
  readonly isPretty: boolean;
  readonly destination: DestinationStream;
};

/** The process's log: one JSON object a line. */
export async function createLogger({ level, isPretty, destination }: Options): Promise<Logger> {
  if (!isPretty) return pino({ level }, destination);
  const { default: pretty } = await import('pino-pretty');
  const format = pretty.prettyFactory({
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    hideObject: true,
    messageFormat: (line) => prettyLine(line),
  });
  return pino({ level }, { write: (line) => destination.write(format(line)) });
}

export interface LogOutput extends DestinationStream {
  /** Accepts no more lines. Resolves when the others are written, or cannot be, and after two seconds in any case. */
  end(): Promise<void>;
}

const maxWaitingBytes = 1024 * 1024;
const endMs = 2_000;
const errorDescriptor = 2;

/**
 * Writes the log to standard output. Pipes and sockets are never waited for (Node itself waits for files and terminals):
 * while a reader is a mebibyte behind, lines are lost, and once one cannot be written, all of them. Both is reported on
 * standard error.
 */
export function createLogOutput(stream: Writable = process.stdout): LogOutput {
  let isOpen = true;
  let hasFailed = false;
  let lost = 0;
  stream.on('error', ({ message }) => {
    if (!hasFailed) report(`The log cannot be written any more: ${message}`);
    hasFailed = true;
  });
  const reportLost = () => {
    if (lost > 0) report(`Lines of the log were lost: ${lost}`);
    lost = 0;
  };
  return {
    write(line) {
      if (!isOpen || hasFailed) return;
      // After a loss half of the room must be free again, so that it is not reported with every other line.
      if (stream.writableLength < (lost === 0 ? maxWaitingBytes : maxWaitingBytes / 2)) {
        reportLost();
        stream.write(line);
        return;
      }
      if (lost === 0) report('The log has a reader that is too slow: lines are lost');
      lost += 1;
    },
    async end() {
      isOpen = false;
      reportLost();
      if (hasFailed) return;
      const { promise: written, resolve } = Promise.withResolvers<unknown>();
      stream.write('', resolve);
      await Promise.race([written, wait(endMs, undefined, { ref: false })]);
    },
  };
}

function report(what: string): void {
  try {
    writeSync(errorDescriptor, `${what}\n`);
  } catch {
    // Where the log has ended, standard error often has, too.
  }
}
