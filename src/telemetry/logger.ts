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
  return pino({ level }, isPretty ? await prettyLines(destination) : destination);
}

async function prettyLines(destination: DestinationStream): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  const format = pretty.prettyFactory({
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    hideObject: true,
    messageFormat: (line) => prettyLine(line),
  });
  return { write: (line) => destination.write(format(line)) };
}
