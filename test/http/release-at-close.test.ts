import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, test, vi } from 'vitest';
import { releaseAtClose } from '../../src/http/release-at-close.ts';

test.each([false, true])('is let go of once, with the connection (closed before: %s)', (destroyed) => {
  const response = Object.assign(new EventEmitter(), { destroyed }) as unknown as ServerResponse;
  const release = vi.fn();
  releaseAtClose(response, release);
  expect(release).toHaveBeenCalledTimes(destroyed ? 1 : 0);
  response.emit('close');
  expect(release).toHaveBeenCalledTimes(1);
});
