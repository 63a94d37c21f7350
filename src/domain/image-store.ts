import type { Readable } from 'node:stream';
import type { Retrying } from './retrying.ts';

/** Names a stored image: unguessable, and all that is needed to read it. */
export type ImageId = string;

/** An image that the gateway has stored. Plain data: it survives JSON. */
export type StoredImage = {
  readonly id: ImageId;
  readonly mediaType: string;
  /** Length of the file in bytes. */
  readonly length: number;
  /** Unix time in milliseconds. */
  readonly expiresAt: number;
};

/** First and last byte, both included. */
export type ByteRange = { readonly first: number; readonly last: number };

export type OpenImage = StoredImage & {
  /** Reads the file, or a part of it. The stream must be consumed or destroyed. */
  read(range?: ByteRange): Readable;
};

/**
 * A file that is being written, and can be read meanwhile. One of `commit` and `discard` ends it; `close` follows when nobody
 * reads it any more.
 */
export interface ArrivingImage {
  /**
   * Appends bytes; one call at a time. What fails in passing is retried; by default nothing is. Rejects with a GatewayError
   * when its bytes are no image that can be stored (`upstream_invalid_response`), or when the disk fails (`storage_failed`).
   */
  write(bytes: Buffer, retrying?: Retrying): Promise<void>;
  /** How many bytes can be read. */
  readonly written: number;
  /** Up to `length` bytes from a position on, of those that were written; also after `commit` and `discard`. */
  read(position: number, length: number): Promise<Buffer>;
  /** Makes it an image of the store. Resolves once it is durable; rejects as `write` does, and leaves no file then. */
  commit(retrying?: Retrying): Promise<StoredImage>;
  /** Removes the file. Never rejects. */
  discard(): Promise<void>;
  /** Frees the descriptor. Never rejects. */
  close(): Promise<void>;
}

export type ImageStoreUsage = {
  /** All images; those that may be evicted to make room are among them. */
  readonly bytes: number;
  readonly evictableBytes: number;
  readonly maxBytes: number;
};

/** Where images live until they expire or are evicted. */
export interface ImageStore {
  /**
   * Begins an image; nothing is on the disk before its first byte.
   * @param isKept it belongs to a job: it is evicted only after its response was delivered; others are merely hosted
   * @param isPartial only its readers need it: it is discarded in the end, and never committed
   */
  receive(id: ImageId, options: { readonly isKept: boolean; readonly isPartial?: boolean }): ArrivingImage;
  /** How many bytes should be collected for one write: fewer where many images arrive at once. */
  readonly writeBytes: number;
  /** `undefined` for ids that are unknown, expired, or no ids at all. */
  open(id: string): Promise<OpenImage | undefined>;
  /** Makes room for images that must not be lost. Rejects with `storage_full` when nothing more may be evicted. */
  makeRoom(): Promise<void>;
  /** Removes images for good. Those that are being read are read to their end. Never rejects. */
  remove(images: readonly ImageId[]): Promise<void>;
  /** Whether images stay on this machine, where they are evicted to make room. Elsewhere they last until they expire. */
  readonly isLocal: boolean;
  /** From that time on (Unix, in milliseconds) the images may be evicted to make room. */
  mayEvict(images: readonly ImageId[], from: number): void;
  readonly usage: ImageStoreUsage;
  close(): Promise<void>;
}
