import type { ServerResponse } from 'node:http';
import type { Release } from '../concurrency/semaphore.ts';

/** Lets go of something when an answer's connection closes; at once where it has closed, because it does not say so again. */
export function releaseAtClose(response: ServerResponse, release: Release): void {
  if (response.destroyed) release();
  else response.once('close', release);
}
