import type { Readable } from 'node:stream';

/** The body of a paid POST. It can be sent any number of times. */
export type PaidBody = {
  readonly contentType: string;
  /** In bytes. */
  readonly length: number;
  /** Nothing that must be closed is opened before the first byte is read: a call may end before that. */
  open(): Buffer | Readable;
};

export function jsonBody(value: unknown): PaidBody {
  const bytes = Buffer.from(JSON.stringify(value));
  return {
    contentType: 'application/json',
    length: bytes.length,
    open: () => bytes,
  };
}
