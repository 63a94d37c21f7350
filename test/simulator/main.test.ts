import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { postOverSocket } from './call-simulator.ts';

const program = new URL('../../simulator/main.ts', import.meta.url).pathname;

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the program has no output to read');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return String(line);
}

async function holdConnection(origin: string) {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET /simulator/ledger HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'data');
  return socket;
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'the program says where it listens and ends cleanly on %s',
  async (signal) => {
    const child = spawn(process.execPath, [program, '--port', '0', '--key', 'another']);
    onTestFinished(() => void child.kill('SIGKILL'));
    const origin = /http:\/\/127\.0\.0\.1:\d+/.exec(await firstLine(child))?.[0] ?? '';
    const socket = await holdConnection(origin);
    const closed = once(socket, 'close');
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([0, null]);
    await closed;
  },
);

test('close ends keep-alive clients and hanging calls', async () => {
  const simulator = await startSimulator({ apiKey: 'test-key' });
  const idle = await holdConnection(simulator.origin);
  const hanging = postOverSocket(simulator.origin, 'gpt-image-2--hang');
  hanging.on('error', () => {}).resume();
  await expect.poll(() => simulator.ledger.counts().billed).toBe(1);
  const closed = Promise.all([once(idle, 'close'), once(hanging, 'close')]);
  await simulator.close();
  await closed;
});
