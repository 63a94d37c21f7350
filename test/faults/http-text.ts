import { fin, type Step, write } from './script.ts';

type Headers = Readonly<Record<string, string>>;

const reasons: Readonly<Record<number, string>> = { 200: 'OK', 202: 'Accepted' };

/** Status line and headers; every response is the last one of its connection. */
export function head(status: number, headers: Headers = {}): string {
  const lines = Object.entries({ connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${reasons[status] ?? 'Whatever'}\r\n${lines.join('')}\r\n`;
}

/** A whole response of a known length. */
export function message(status: number, headers: Headers, body: Buffer | string): Buffer {
  const length = { 'content-length': String(Buffer.byteLength(body)) };
  return Buffer.concat([Buffer.from(head(status, { ...headers, ...length })), Buffer.from(body)]);
}

export function chunk(bytes: Buffer | string): Buffer {
  const size = Buffer.byteLength(bytes).toString(16);
  return Buffer.concat([Buffer.from(`${size}\r\n`), Buffer.from(bytes), Buffer.from('\r\n')]);
}

/** A whole response, after which the server closes. */
export const reply = (status: number, headers: Headers, body: Buffer | string): Step[] => [
  write(message(status, headers, body)),
  fin,
];

const json = { 'content-type': 'application/json' };

export const jsonReply = (status: number, body: unknown, headers: Headers = {}): Step[] =>
  reply(status, { ...json, ...headers }, JSON.stringify(body));

/** An error object as Azure has it. Its text is for the operator, and nothing that a caller may see. */
export const errorReply = (status: number, error: Record<string, unknown>, headers: Headers = {}): Step[] =>
  jsonReply(status, { error: { message: 'upstream-text-canary', ...error } }, headers);
