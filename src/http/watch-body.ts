import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../domain/gateway-error.ts';

export type BodyRules = {
  /** A body may take so long, and a second more for each megabyte that has come. */
  readonly graceMs: number;
  /** Counts what comes, in bytes; throws a GatewayError when it is too much. */
  readonly receive: (bytes: number) => void;
};

const bytesPerSecond = 1_000_000;

/** The longest that a body of so many bytes can take. */
export function maxBodyMs(bytes: number, graceMs: number): number {
  return graceMs + (bytes / bytesPerSecond) * 1000;
}

/**
 * Watches a request's body, whoever reads it: calls `fail` when it is too slow or too much. Returns what ends the watch. The
 * reader has to be attached in the same tick, because the body begins to flow.
 */
export function watchBody(
  raw: IncomingMessage,
  { graceMs, receive }: BodyRules,
  fail: (error: unknown) => void,
): () => void {
  const startedAt = performance.now();
  let received = 0;
  const onData = (chunk: Buffer) => {
    received += chunk.length;
    try {
      receive(chunk.length);
    } catch (error) {
      fail(error);
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const waitOn = () => {
    if (raw.complete) return;
    const leftMs = maxBodyMs(received, graceMs) - (performance.now() - startedAt);
    if (leftMs <= 0) fail(new GatewayError('request_timeout', "The request's body took too long to arrive."));
    else timer = setTimeout(waitOn, leftMs);
  };
  waitOn();
  raw.on('data', onData);
  return () => {
    clearTimeout(timer);
    raw.off('data', onData);
  };
}
