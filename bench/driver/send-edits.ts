import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Call, nothing, type Report } from './call.ts';
import { openRawCall, statusOf } from './raw-call.ts';

/** As `upstream/bodies.ts` has it: the gateway looks at what it is sent. */
const pngHeader = Buffer.from('89504e470d0a1a0a0000000d49484452000004000000040008020000', 'hex');
const boundary = 'form-of-the-benchmark';

/** Edits that are sent all at once, from bytes that they share: this process stays small. */
export async function sendEdits(
  call: Call,
  { edits, images, bytes }: { edits: number; images: number; bytes: number },
): Promise<Report> {
  const begin = performance.now();
  const image = Buffer.concat([pngHeader, randomBytes(bytes - pngHeader.length)]);
  const statuses = await Promise.all(Array.from({ length: edits }, () => sendEdit(call, image, images)));
  const mistakes = statuses.filter((status) => status !== 200).map((status) => `status ${status}`);
  return { ...nothing, elapsedMs: performance.now() - begin, mistakes };
}

async function sendEdit(call: Call, image: Buffer, images: number): Promise<number> {
  const part = (name: string, file = '') =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n`;
  const file = Buffer.from(part('image[]', '; filename="a.png"\r\ncontent-type: image/png'));
  const pieces = [
    ...Object.entries(JSON.parse(call.body)).map(([name, value]) => Buffer.from(`${part(name)}${value}\r\n`)),
    ...Array.from({ length: images }, () => [file, image, Buffer.from('\r\n')]).flat(),
    Buffer.from(`--${boundary}--\r\n`),
  ];
  const headers = { ...call.headers, 'content-type': `multipart/form-data; boundary=${boundary}` };
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const socket = await openRawCall({ ...call, headers }, length);
  const status = statusOf(socket);
  for (const piece of pieces) if (!socket.write(piece)) await once(socket, 'drain');
  const received = await status;
  socket.destroy();
  return received;
}
