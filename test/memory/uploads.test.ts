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
  readonly response: object;
  /** Bytes that are sent for one byte of an image. */
  readonly expansion: number;
};

const upstreams: Upstream[] = [
  {
    name: 'as forms',
    models: editModels,
    response: { created: 1, data: [{ b64_json: tinyPng }] },
    expansion: 1,
  },
  {
    name: 'as data URLs of an agent',
    models: (baseURL) => ({ defaultModel: 'image', models: { image: { ...agent, baseURL } } }),
    response: { status: 'completed', output: [{ type: 'image_generation_call', result: tinyPng }] },
    expansion: 4 / 3,
  },
];

const title = '20 edits with 5 x 5 MB each, at once, $name: the gateway process stays below 300 MB';

test.each(upstreams)(title, async ({ name, models, response, expansion }) => {
  const upstream = await startCountingUpstream(response);
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

test('8 responses at once whose input has a data URL of 49 MB: the gateway process stays below 300 MB', async () => {
  const upstream = await startCountingUpstream({ created: 1, data: [{ b64_json: tinyPng }] });
  const program = await startMeasured({
    models: editModels(upstream.origin),
    env: { DATA_DIR: join(await temporaryDirectory(), 'data') },
  });
  const url = await program.listening();
  const image = padded(await pngImage(), 49_000_000);
  const dataUrl = Buffer.from(`data:image/png;base64,${image.toString('base64')}`);
  const ask = async (_: unknown, index: number) => {
    const start = `{"model":"image","input":[{"role":"user","content":[{"type":"input_text","text":"hat ${index}"},`;
    const pieces = [Buffer.from(`${start}{"type":"input_image","image_url":"`), dataUrl, Buffer.from('"}]}]}')];
    return await send(url, '/v1/responses', 'application/json', pieces);
  };
  const statuses = await Promise.all(Array.from({ length: 8 }, ask));
  expect(statuses).toEqual(Array.from({ length: 8 }, () => 200));
  expect(upstream.receivedBytes).toBeGreaterThan(8 * image.length);
  const resident = await program.residentMegabytes();
  process.stdout.write(`8 responses with a data URL of 49 MB: ${Math.round(resident)} MB\n`);
  expect(resident).toBeLessThan(300);
});

/** Reads what it is sent, and responds to each call with a small image. */
async function startCountingUpstream(reply: object) {
  let receivedBytes = 0;
  const server = http.createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length;
    });
    request.on('end', () => response.end(JSON.stringify(reply)));
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

/** Sends one edit from bytes that all edits share; gives the response's status. */
async function edit(url: string, image: Buffer): Promise<number> {
  const boundary = 'form-of-a-test';
  const part = (name: string, file = '') =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n`;
  const start = Buffer.from(`${part('prompt')}a hat\r\n`);
  const between = Buffer.from(part('image[]', '; filename="a.png"'));
  const lineBreak = Buffer.from('\r\n');
  return await send(url, editsPath, `multipart/form-data; boundary=${boundary}`, [
    start,
    ...Array.from({ length: images }, () => [between, image, lineBreak]).flat(),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
}

/** Sends the pieces of a body; gives the response's status. */
async function send(url: string, path: string, type: string, pieces: readonly Buffer[]): Promise<number> {
  const socket = openSocket(url);
  const firstBytes = once(socket, 'data');
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: gateway',
    'api-key: program-key',
    `content-type: ${type}`,
    `content-length: ${pieces.reduce((sum, { length }) => sum + length, 0)}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  for (const piece of pieces) if (!socket.write(piece)) await once(socket, 'drain');
  const [response] = await firstBytes;
  socket.destroy();
  return Number(String(response).split(' ')[1]);
}
