import { setTimeout as pause } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { exchange } from '../../src/upstream/exchange.ts';
import { serveHttp } from '../helpers/loopback-server.ts';

const { signal } = new AbortController();
const call = { path: '/', method: 'POST', signal } as const;

test('whoever reads a large answer slowly makes errors with stacks, to its very end', async () => {
  const port = await serveHttp((_request, response) => response.end(Buffer.alloc(1_000_000)));
  const origin = `http://127.0.0.1:${port}`;
  const pool = new Pool(origin, { pipelining: 0 });
  onTestFinished(() => pool.destroy());
  const { stackTraceLimit } = Error;
  const limits = new Set<number>();
  const { body } = await exchange(pool, { origin, ...call });
  for await (const _ of body) {
    limits.add(Error.stackTraceLimit);
    await pause(1);
  }
  limits.add(Error.stackTraceLimit);
  expect([...limits]).toEqual([stackTraceLimit]);
});

test('errors have stacks again after two answers that end in one tick', async () => {
  const controller = {} as Dispatcher.DispatchController;
  const handlers: Dispatcher.DispatchHandler[] = [];
  const dispatcher = {
    dispatch(_options: unknown, handler: Dispatcher.DispatchHandler) {
      handlers.push(handler);
      handler.onRequestStart?.(controller, {});
      handler.onResponseStart?.(controller, 200, {}, '');
      return true;
    },
  } as unknown as Dispatcher;
  const { stackTraceLimit } = Error;
  await Promise.all([exchange(dispatcher, call), exchange(dispatcher, call)]);
  for (const handler of handlers) handler.onResponseEnd?.(controller, {});
  await new Promise((resolve) => process.nextTick(resolve));
  expect([stackTraceLimit > 0, Error.stackTraceLimit]).toEqual([true, stackTraceLimit]);
});
