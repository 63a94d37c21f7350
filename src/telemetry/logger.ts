import pino, { type DestinationStream, type Logger } from 'pino';
import { prettyLine } from './pretty-line.ts';

type Options = {
  readonly level: string;
  /** For people at a terminal instead of log collectors. */
  readonly isPretty: boolean;
  readonly destination?: DestinationStream;
};

/** Lines are written together: one write for each costs a tenth of a small answer. They are late by `periodicFlush` ms at most. */
const writing = { sync: false, minLength: 4096, periodicFlush: 100 };

/** The process's log: one JSON object a line on standard output. */
export async function createLogger({ level, isPretty, destination }: Options): Promise<Logger> {
  const stream = isPretty ? await prettyStream(destination) : destination;
  return pino({ level }, stream ?? pino.destination(writing));
}

async function prettyStream(destination: DestinationStream | undefined): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    hideObject: true,
    messageFormat: (line) => prettyLine(line),
    ...(destination && { destination }),
  });
}
