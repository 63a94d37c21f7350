import pino, { type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';

type Options = {
  readonly level: string;
  /** For people at a terminal instead of log collectors. */
  readonly isPretty: boolean;
  readonly destination?: DestinationStream;
};

/** Lines are written together: one write for each costs a tenth of a small answer. They are late by `periodicFlush` ms at most. */
const writing = { sync: false, minLength: 4096, periodicFlush: 100 };

/** The process's log: one JSON object a line on standard output. */
export function createLogger({ level, isPretty, destination }: Options): Logger {
  const stream = isPretty
    ? pretty({ ignore: 'pid,hostname', singleLine: true, ...(destination && { destination }) })
    : destination;
  return pino({ level }, stream ?? pino.destination(writing));
}
