import { connect } from 'node:net';
import { createParser } from 'eventsource-parser';
import { gatewayKey } from '../helpers/start-gateway.ts';
import type { Reported, ReportedError } from './reported.ts';

export type Call = {
  readonly path: string;
  readonly contentType: string;
  readonly body: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
};

export const generationsPath = '/v1/images/generations';
export const editsPath = '/v1/images/edits';

export function jsonCall(body: unknown, headers: Call['headers'] = {}): Call {
  return { path: generationsPath, contentType: 'application/json', body: Buffer.from(JSON.stringify(body)), headers };
}

/** An edit as a form with these fields and one image. */
export function editCall(
  fields: Readonly<Record<string, unknown>>,
  image: Buffer,
  headers: Call['headers'] = {},
): Call {
  const texts = Object.entries(fields).map(
    ([name, value]) => `--form\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const fileHead =
    '--form\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n';
  const body = Buffer.concat([Buffer.from(texts.join('') + fileHead), image, Buffer.from('\r\n--form--\r\n')]);
  return { path: editsPath, contentType: 'multipart/form-data; boundary=form', body, headers };
}

/** The bytes of a call, for a connection that closes after it. */
export function callBytes({ path, contentType, body, headers = {} }: Call): Buffer {
  const lines = Object.entries({
    host: 'gateway',
    connection: 'close',
    authorization: `Bearer ${gatewayKey}`,
    'content-type': contentType,
    'content-length': String(body.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), body]);
}

/** One call on a connection of its own, without any client's own ideas about errors and retries. */
export async function rawCall(url: string, call: Call): Promise<Reported> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  socket.once('close', () => resolve(Buffer.concat(chunks)));
  socket.write(callBytes(call));
  return readResponse(await promise);
}

/** What the bytes of a response say, without those before it that are no response yet. */
export function readResponse(bytes: Buffer): Reported {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return { status: 0, header: () => null, error: undefined, images: [], isTruncated: true, text: '' };
  const [line = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(line.split(' ')[1]);
  if (status < 200) return readResponse(bytes.subarray(end + 4));
  const headers = new Headers(lines.map((text): [string, string] => [before(text), after(text)]));
  const { body, isWhole } = readBody(bytes.subarray(end + 4), headers);
  const text = body.toString();
  const isStream = headers.get('content-type') === 'text/event-stream';
  const { error, images } = isStream ? readEvents(text) : readImages(text, isWhole);
  return { status, header: (name) => headers.get(name), error, images, isTruncated: !isWhole, text };
}

const before = (text: string): string => text.slice(0, text.indexOf(':'));
const after = (text: string): string => text.slice(text.indexOf(':') + 1).trim();

function readBody(bytes: Buffer, headers: Headers): { body: Buffer; isWhole: boolean } {
  if (headers.get('transfer-encoding') === null) {
    return { body: bytes, isWhole: bytes.length === Number(headers.get('content-length')) };
  }
  const chunks: Buffer[] = [];
  for (let rest = bytes; ; ) {
    const lineEnd = rest.indexOf('\r\n');
    const length = Number.parseInt(rest.toString('latin1', 0, lineEnd), 16);
    if (lineEnd === -1 || Number.isNaN(length)) return { body: Buffer.concat(chunks), isWhole: false };
    if (length === 0) return { body: Buffer.concat(chunks), isWhole: true };
    chunks.push(rest.subarray(lineEnd + 2, lineEnd + 2 + length));
    rest = rest.subarray(lineEnd + 2 + length + 2);
  }
}

type Content = Pick<Reported, 'error' | 'images'>;

function readImages(text: string, isWhole: boolean): Content {
  if (!isWhole) return { error: undefined, images: [] };
  const { error, data = [] } = JSON.parse(text) as { error?: ReportedError; data?: { b64_json: string }[] };
  return { error, images: data.map(({ b64_json }) => b64_json) };
}

function readEvents(text: string): Content {
  const images: string[] = [];
  let error: ReportedError | undefined;
  const parser = createParser({
    onEvent({ event = '', data }) {
      const members = JSON.parse(data) as { b64_json: string; error?: ReportedError };
      if (event.endsWith('.completed')) images.push(members.b64_json);
      if (event === 'error') error = members.error;
    },
  });
  parser.feed(text);
  return { error, images };
}
