import type { Readable } from 'node:stream';

/** The body of a paid POST. It can be sent any number of times. */
export type PaidBody = {
  readonly contentType: string;
  /** In bytes. */
  readonly length: number;
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
