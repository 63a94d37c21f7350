import type { Readable } from 'node:stream';
import type { ByteRange } from '../../domain/image-store.ts';

/** What an object says about itself. */
export type ObjectProperties = {
  readonly contentType: string;
  /** Unix time in milliseconds. */
  readonly expiresAt: number;
  /** It belongs to a job. */
  readonly isKept: boolean;
};

export type ObjectHead = {
  readonly contentType: string | undefined;
  /** In bytes. */
  readonly length: number;
  readonly expiresAt: number | undefined;
};

export type ListedObject = {
  readonly name: string;
  /** Unix time in milliseconds; `undefined` where a listing does not say. */
  readonly expiresAt: number | undefined;
  readonly modifiedAt: number;
};

/** An object that is uploaded in parts. One of `commit` and `abort` ends it. */
export interface ObjectUpload {
  /** One part after the other; all but the last are `partBytes` long. */
  add(part: Buffer, signal: AbortSignal): Promise<void>;
  /** Makes the parts the object. Resolves with the store's acknowledgement. */
  commit(signal: AbortSignal): Promise<void>;
  /** Removes the parts, where the store does not do so by itself. Never rejects. */
  abort(): Promise<void>;
}

/**
 * A container of Azure Blob Storage or a bucket of S3. Everything that goes wrong with it rejects with an `ObjectStoreError`;
 * every request has a time limit of its own, and ends early with its signal.
 */
export interface ObjectBucket {
  /** The length of a part of an upload, in bytes. */
  readonly partBytes: number;
  /** Writes an object with one request. Replaces what has this name. */
  put(name: string, bytes: Buffer, properties: ObjectProperties, signal: AbortSignal): Promise<void>;
  upload(name: string, properties: ObjectProperties): ObjectUpload;
  /** `undefined`: there is no such object. */
  head(name: string, signal: AbortSignal): Promise<ObjectHead | undefined>;
  /** Resolves when the response begins. The stream must be consumed or destroyed. */
  read(name: string, range: ByteRange | undefined, signal: AbortSignal): Promise<Readable>;
  /** Resolves also when there is no such object. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /** All objects whose names begin so. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ListedObject>;
  /** A signed URL that anybody can read the object with; it ends at `expiresAt` or earlier. */
  link(name: string, expiresAt: number): Promise<string>;
  close(): void;
}

/** The metadata of an object; names and values are ASCII. */
export function metadataOf({ expiresAt, isKept }: ObjectProperties): Record<string, string> {
  return { expires: String(expiresAt), kept: String(isKept) };
}

/** Reads the metadata of an object, which may not be ours. */
export function expiryOf(metadata: Readonly<Record<string, string>> | undefined): number | undefined {
  const text = metadata?.expires ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A link can be valid for a week at most, at Azure with a user delegation key and at S3 alike. */
export const maxLinkMs = 7 * 24 * 60 * 60_000;
