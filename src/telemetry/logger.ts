import pino, { type DestinationStream, type Logger } from 'pino';
import pretty from 'pino-pretty';

type Options = {
  readonly level: string;
  /** For people at a terminal instead of log collectors. */
  readonly isPretty: boolean;
  readonly destination?: DestinationStream;
};

/** The process's log: one JSON object a line on standard output. */
export function createLogger({ level, isPretty, destination }: Options): Logger {
  const stream = isPretty
    ? pretty({ ignore: 'pid,hostname', singleLine: true, ...(destination && { destination }) })
    : destination;
  return stream === undefined ? pino({ level }) : pino({ level }, stream);
}
