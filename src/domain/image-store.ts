import type { Readable } from 'node:stream';
import type { Retrying } from './retrying.ts';

/** An image that the gateway hosts. */
export type StoredImage = {
  /** Unguessable, and all that is needed to read it. */
  readonly id: string;
  readonly mediaType: string;
  /** Length of the file in bytes. */
  readonly length: number;
  /** For `etag`: equal bytes have equal tags. */
  readonly tag: string;
  /** Unix time in milliseconds. */
  readonly expiresAt: number;
};

/** First and last byte, both included. */
export type ByteRange = { readonly first: number; readonly last: number };

export type OpenImage = StoredImage & {
  /** Reads the file, or a part of it. The stream must be consumed or destroyed. */
  read(range?: ByteRange): Readable;
};

/** Where hosted images live until they expire. */
export interface ImageStore {
  /**
   * Stores an image while it arrives. Resolves once it is durable; rejects with a GatewayError when its bytes are no
   * image (`upstream_invalid_response`) or when it cannot be stored (`storage_failed`), with what `bytes` throws, and
   * with the signal's reason while it waits. What fails in passing is retried; by default nothing is. A rejection leaves
   * nothing behind.
   */
  put(bytes: AsyncIterable<Buffer>, retrying?: Retrying): Promise<StoredImage>;
  /** `undefined` for ids that are unknown, expired, or no ids at all. */
  open(id: string): Promise<OpenImage | undefined>;
  close(): Promise<void>;
}
