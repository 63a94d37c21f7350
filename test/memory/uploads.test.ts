import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { editModels, editsPath, padded, pngImage, temporaryDirectory } from '../end-to-end/edits.ts';
import { openSocket, tinyPng } from '../end-to-end/rig.ts';
import { startMeasured } from './measured-program.ts';

const megabyte = 1024 * 1024;
// 500 MB together: far more than the process may take. The benchmark sends four times as much.
const [edits, images, imageBytes] = [20, 5, 5 * megabyte];

const agent = {
  provider: 'foundry-agent',
  model: 'gpt-image-1',
  chatDeployment: 'chat',
  imageDeployment: 'images',
  apiKey: 'key',
};

type Upstream = {
  readonly name: string;
  readonly models: (origin: string) => object;
  readonly answer: object;
  /** Bytes that are sent for one byte of an image. */
  readonly expansion: number;
};

const upstreams: Upstream[] = [
  {
    name: 'as forms',
    models: editModels,
    answer: { created: 1, data: [{ b64_json: tinyPng }] },
    expansion: 1,
  },
  {
    name: 'as data URLs of an agent',
    models: (baseURL) => ({ defaultModel: 'image', models: { image: { ...agent, baseURL } } }),
    answer: { status: 'completed', output: [{ type: 'image_generation_call', result: tinyPng }] },
    expansion: 4 / 3,
  },
];

const title = '20 edits with 5 x 5 MB each, at once, $name: the gateway process stays below 300 MB';

test.each(upstreams)(title, async ({ name, models, answer, expansion }) => {
  const upstream = await startCountingUpstream(answer);
  const program = await startMeasured({
    models: models(upstream.origin),
    env: { DATA_DIR: join(await temporaryDirectory(), 'data') },
  });
  const url = await program.listening();
  const image = padded(await pngImage(), imageBytes);
  const statuses = await Promise.all(Array.from({ length: edits }, () => edit(url, image)));
  expect(statuses).toEqual(Array.from({ length: edits }, () => 200));
  // What is not the images' own bytes is the form around them.
  expect(upstream.receivedBytes / (edits * images * imageBytes)).toBeCloseTo(expansion, 2);
  const resident = await program.residentMegabytes();
  process.stdout.write(
    `${edits} edits of ${images} x ${imageBytes / megabyte} MB, ${name}: ${Math.round(resident)} MB\n`,
  );
  expect(resident).toBeLessThan(300);
});

/** Reads what it is sent, and answers each call with a small image. */
async function startCountingUpstream(answer: object) {
  let receivedBytes = 0;
  const server = http.createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length;
    });
    request.on('end', () => response.end(JSON.stringify(answer)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get receivedBytes() {
      return receivedBytes;
    },
  };
}

/** Sends one edit from bytes that all edits share; gives the answer's status. */
async function edit(url: string, image: Buffer): Promise<number> {
  const boundary = 'form-of-a-test';
  const part = (name: string, file = '') =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n`;
  const start = Buffer.from(`${part('prompt')}a hat\r\n`);
  const between = Buffer.from(part('image[]', '; filename="a.png"'));
  const lineBreak = Buffer.from('\r\n');
  const pieces = [
    start,
    ...Array.from({ length: images }, () => [between, image, lineBreak]).flat(),
    Buffer.from(`--${boundary}--\r\n`),
  ];
  const socket = openSocket(url);
  const answered = once(socket, 'data');
  const head = [
    `POST ${editsPath} HTTP/1.1`,
    'host: gateway',
    'api-key: program-key',
    `content-type: multipart/form-data; boundary=${boundary}`,
    `content-length: ${pieces.reduce((sum, { length }) => sum + length, 0)}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  for (const piece of pieces) if (!socket.write(piece)) await once(socket, 'drain');
  const [answer] = await answered;
  socket.destroy();
  return Number(String(answer).split(' ')[1]);
}
