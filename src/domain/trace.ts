import { randomBytes } from 'node:crypto';

/** The caller's trace, as its `traceparent` header says (W3C Trace Context). */
export type Trace = {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** The flags that are known, `sampled` and `random`, as two hexadecimal digits. */
  readonly flags: string;
};

/** The header for a call of ours: the same trace, and an id of its own for the call. */
export function newTraceparent({ traceId, flags }: Trace): string {
  return `00-${traceId}-${newParentId()}-${flags}`;
}

/** All zeros would be no id. */
function newParentId(): string {
  const id = randomBytes(8).toString('hex');
  return /^0+$/.test(id) ? newParentId() : id;
}
