import type { IncomingMessage } from 'node:http';
import { noteBuffer } from '../../codec/collect-buffers.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { Arrival } from '../../generations/admission.ts';
import { maxBodyMs, watchBody } from '../request-body.ts';

/** How much may be uploaded with one request, and how fast it must come. */
export type UploadLimits = {
  /** Of the request's whole body, in bytes. */
  readonly uploadBytes: number;
  /** A body may take so long, and a second more for each megabyte of it. */
  readonly graceMs: number;
};

/** The longest that a whole upload can take. */
export function maxUploadMs({ uploadBytes, graceMs }: UploadLimits): number {
  return maxBodyMs(uploadBytes, graceMs);
}

/**
 * Reads a request's body with `read`. Rejects with a GatewayError as soon as the body is too long, too slow, or broken off
 * by its client, even where `read` does not notice; the body is not read any further then.
 */
export async function readUpload<T>(
  raw: IncomingMessage,
  { limits, arrival }: { readonly limits: UploadLimits; readonly arrival: Arrival | undefined },
  read: () => Promise<T>,
): Promise<T> {
  const { promise: failure, reject } = Promise.withResolvers<never>();
  let received = 0;
  const fail = (error: unknown) => {
    raw.unpipe();
    reject(error);
  };
  const receive = (bytes: number) => {
    received += bytes;
    noteBuffer(bytes);
    if (received > limits.uploadBytes) throw tooLarge(limits);
    arrival?.receive(bytes);
  };
  const onClose = () => {
    if (!raw.readableEnded) fail(new GatewayError('client_gone', 'The client has disconnected.'));
  };
  const endWatch = watchBody(raw, { graceMs: limits.graceMs, receive }, fail);
  raw.on('close', onClose);
  try {
    const upload = await Promise.race([read(), failure]);
    // Read on: a client that disconnects is noticed only on a connection that is read.
    raw.unpipe();
    raw.resume();
    return upload;
  } finally {
    endWatch();
    raw.off('close', onClose);
  }
}

/** A body that is sent on while it arrives. Throws a GatewayError as soon as it is too long or too slow. */
export async function* boundedUpload(
  raw: IncomingMessage,
  { limits, arrival }: { readonly limits: UploadLimits; readonly arrival: Arrival | undefined },
  body: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const { promise: failure, reject } = Promise.withResolvers<never>();
  // It may fail while nobody waits for a chunk.
  failure.catch(() => {});
  const endWatch = watchBody(raw, { graceMs: limits.graceMs, receive: arrival?.receive }, reject);
  const chunks = body[Symbol.asyncIterator]();
  let received = 0;
  try {
    for (;;) {
      const { value, done } = await Promise.race([chunks.next(), failure]);
      if (done) return;
      received += value.length;
      if (received > limits.uploadBytes) throw tooLarge(limits);
      yield value;
    }
  } finally {
    endWatch();
  }
}

/** Refuses a body that says itself that it is too long, before any of it is read. */
export function refuseLongUpload({ headers }: IncomingMessage, limits: UploadLimits): void {
  if (Number(headers['content-length'] ?? 0) > limits.uploadBytes) throw tooLarge(limits);
}

function tooLarge({ uploadBytes }: UploadLimits): GatewayError {
  const message = `The request's body is longer than ${uploadBytes} bytes, the limit of this gateway ('limits.uploadBytes').`;
  return new GatewayError('request_too_large', message);
}

/** Aborted with a GatewayError when the client of a request disconnects. */
export function disconnection(raw: IncomingMessage): AbortSignal {
  const disconnected = new AbortController();
  raw.once('close', () => disconnected.abort(new GatewayError('client_gone', 'The client has disconnected.')));
  return disconnected.signal;
}
