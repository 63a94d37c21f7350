import pino, { type DestinationStream, type Logger } from 'pino';
import { prettyLine } from './pretty-line.ts';

type Options = {
  readonly level: string;
  /** For people at a terminal instead of log collectors. */
  readonly isPretty: boolean;
  readonly destination?: DestinationStream;
};

/** The process's log: one JSON object a line on standard output. */
export async function createLogger({ level, isPretty, destination }: Options): Promise<Logger> {
  const stream = isPretty ? await prettyStream(destination) : destination;
  return stream === undefined ? pino({ level }) : pino({ level }, stream);
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
