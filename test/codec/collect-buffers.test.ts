import type { Dispatcher } from 'undici';
import { afterEach, expect, test, vi } from 'vitest';
import { startOptions } from '../../bench/contestants/start-options.ts';
import { collectedBytes } from '../../src/codec/collect-buffers.ts';
import { Exchange } from '../../src/upstream/exchange.ts';

const { gc } = globalThis;

afterEach(() => {
  globalThis.gc = gc;
});

const controller = { pause() {}, resume() {} } as unknown as Dispatcher.DispatchController;

/** So much arrives, for a reader that does not keep it. */
async function arrive(bytes: number): Promise<void> {
  const body = new Exchange({ signal: new AbortController().signal, resolve: () => {}, reject: () => {} });
  for (let left = bytes; left > 0; left -= 65_536) {
    body.onResponseData(controller, Buffer.alloc(65_536));
    await body.next();
  }
}

test('young objects are collected for so many bytes, in however many responses they arrive', async () => {
  const collect = vi.fn();
  globalThis.gc = collect as unknown as typeof gc;
  for (let n = 0; n < 6; n += 1) await arrive(collectedBytes / 2);
  expect(collect.mock.calls).toEqual([[{ type: 'minor' }], [{ type: 'minor' }], [{ type: 'minor' }]]);
});

test('without --expose-gc V8 decides alone', async () => {
  globalThis.gc = undefined;
  await expect(arrive(2 * collectedBytes)).resolves.toBeUndefined();
});

test('`npm start` lets the gateway collect', () => {
  expect(startOptions).toContain('--expose-gc');
});
