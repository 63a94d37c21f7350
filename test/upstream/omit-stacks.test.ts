import { createServer } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Pool } from 'undici';
import { expect, onTestFinished, test, vi } from 'vitest';
import { exchange } from '../../src/upstream/exchange.ts';

/** A pool as paid calls have one, before a server that answers everything. */
async function startPool() {
  const server = createServer((_request, response) => response.end('done')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const pool = new Pool(url.origin, { pipelining: 0 });
  onTestFinished(() => pool.destroy());
  return { pool, url };
}

const hasFrames = (error: Error) => /\n\s+at /.test(error.stack ?? '');

test('undici ends a connection that is not kept with an error, which has no stack', async () => {
  const destroy = vi.spyOn(Socket.prototype, 'destroy');
  onTestFinished(() => destroy.mockRestore());
  const { pool, url } = await startPool();
  const { body } = await exchange(pool, { url, method: 'GET', signal: new AbortController().signal });
  for await (const _ of body);
  await nextTurn();
  const errors = destroy.mock.calls.flatMap(([error]) => (error instanceof Error ? [error] : []));
  expect(errors.map(({ name }) => name)).toEqual(['InformationalError']);
  expect(errors.filter(hasFrames)).toEqual([]);
});

test('whoever reads the end of a response makes errors with stacks', async () => {
  const { pool, url } = await startPool();
  const { body } = await exchange(pool, { url, method: 'GET', signal: new AbortController().signal });
  for await (const _ of body);
  expect(hasFrames(new Error('ours'))).toBe(true);
});
