import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { modelsFile, openSocket, startUpstream, tinyPng } from '../end-to-end/rig.ts';
import { patience } from './held-program.ts';

const oneImage = JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] });

/** An Azure that takes a moment for each image. */
const startAzure = () =>
  startUpstream(async (_request, response) => {
    await wait(50);
    response.end(oneImage);
  });

test.each([0, 50, 100, 200, 400])('SIGTERM %i ms after the start: the process ends', async (ms) => {
  const program = await startProgram({ models: modelsFile('http://127.0.0.1:9') });
  const ended = new Promise((resolve) => program.child.once('close', resolve));
  await wait(ms);
  program.child.kill('SIGTERM');
  await ended;
});

test('SIGTERM under 50 idle clients: their connections are closed, and the exit is clean', async () => {
  const azure = await startAzure();
  const program = await startProgram({ models: modelsFile(azure.origin) });
  const url = await program.listening();
  const sockets = Array.from({ length: 50 }, () => openSocket(url));
  for (const socket of sockets) {
    socket.on('end', () => socket.end());
    socket.write('GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n');
  }
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve))));
  program.child.kill('SIGTERM');
  expect(await program.exited).toBe(0);
  await expect.poll(() => sockets.every(({ destroyed }) => destroyed), patience).toBe(true);
});

test('20 rolling restarts on one DATA_DIR under 50 requests in flight: no caller meets an error, and nothing is bought twice', async () => {
  const azure = await startAzure();
  const agent = new Agent({ pipelining: 0 });
  onTestFinished(() => agent.close());
  const dataDir = await mkdtemp(join(tmpdir(), 'crash-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const start = () => startProgram({ models: modelsFile(azure.origin), env: { DATA_DIR: dataDir } });
  let current = await start();
  let url = await current.listening();
  let isOver = false;
  const statuses = new Map<number, number>();
  const callers = Array.from({ length: 50 }, async (_, index) => {
    for (let call = 0; !isOver; call += 1) {
      const { statusCode, body } = await request(`${url}/v1/images/generations`, {
        method: 'POST',
        headers: { 'api-key': 'program-key', 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: `cat ${index} ${call}` }),
        dispatcher: agent,
      });
      await body.dump();
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    }
  });
  const ended: Program[] = [];
  for (let restart = 0; restart < 20; restart += 1) {
    const next = await start();
    url = await next.listening();
    // Who has just looked the old address up still gets there, in the five seconds that load balancers are given.
    current.child.kill('SIGTERM');
    ended.push(current);
    current = next;
  }
  isOver = true;
  await Promise.all(callers);
  expect([...statuses.keys()]).toEqual([200]);
  expect(azure.received).toBe(statuses.get(200));
  expect(await Promise.all(ended.map(({ exited }) => exited))).toEqual(ended.map(() => 0));
});
