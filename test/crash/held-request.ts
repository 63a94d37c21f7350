import type { Socket } from 'node:net';
import { openSocket, tinyPng } from '../end-to-end/rig.ts';
import type { Mode } from './held-azure.ts';

/** A request on a plain connection, of which the test decides when its last byte is sent. */
export type HeldRequest = {
  readonly closed: Promise<unknown>;
  /** What has come back so far. */
  text(): string;
  /** Sends what is missing. */
  complete(): void;
};

type Sending = { readonly isWhole: boolean; readonly prompt?: string; readonly padding?: number };

/** Sends a request up to its last bytes, or whole. */
export function sendRequest(
  url: string,
  mode: Mode,
  { isWhole, prompt = 'a cat', padding = 2_000_000 }: Sending,
): HeldRequest {
  const socket: Socket = openSocket(url);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => socket.end());
  const { path, type, body } = requestOf(mode, prompt, padding);
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: gateway',
    'api-key: program-key',
    `content-type: ${type}`,
    `content-length: ${body.length}`,
    'connection: close',
  ];
  const rest = body.subarray(-10);
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(isWhole ? body : body.subarray(0, -10));
  return {
    closed: new Promise((resolve) => socket.once('close', resolve)),
    text: () => Buffer.concat(chunks).toString('latin1'),
    complete: () => {
      if (!isWhole) socket.write(rest);
    },
  };
}

function requestOf(mode: Mode, prompt: string, padding: number): { path: string; type: string; body: Buffer } {
  if (mode === 'E edit')
    return { path: '/v1/images/edits', type: 'multipart/form-data; boundary=b', body: editForm(prompt, padding) };
  const body = Buffer.from(JSON.stringify({ prompt, ...parameters[mode] }));
  return { path: '/v1/images/generations', type: 'application/json', body };
}

const parameters: Readonly<Record<Exclude<Mode, 'E edit'>, object>> = {
  'A deployment': { model: 'image' },
  'B v1': { model: 'studio/poster' },
  'C submit and poll': { model: 'dall-e-2', response_format: 'b64_json' },
  'D events': { model: 'image', stream: true, partial_images: 1 },
  'F two calls': { model: 'dall-e-3', n: 2 },
};

/** Long enough for a temporary file; what follows a PNG's end does not matter. */
function editForm(prompt: string, padding: number): Buffer {
  const image = Buffer.concat([Buffer.from(tinyPng, 'base64'), Buffer.alloc(padding)]);
  const part = (name: string, more = '') => `--b\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`;
  return Buffer.concat([
    Buffer.from(`${part('prompt')}${prompt}\r\n${part('image', '; filename="a.png"')}`),
    image,
    Buffer.from('\r\n--b--\r\n'),
  ]);
}
