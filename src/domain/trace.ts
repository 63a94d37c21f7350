import { randomBytes } from 'node:crypto';

/** The caller's trace, as its `traceparent` header says (W3C Trace Context). */
export type Trace = {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** The flags that are known, `sampled` and `random`, as two hexadecimal digits. */
  readonly flags: string;
};

const knownFlags = 0b11;

/** Two hexadecimal digits of version, the trace, the caller's own part of it, and flags. Later versions may add more. */
const grammar = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/;

/** `undefined` for a header that is not valid: the trace is to be ignored then. */
export function readTraceparent(header: string | string[] | undefined): Trace | undefined {
  const [, version, traceId, flags, more] = (typeof header === 'string' && grammar.exec(header.trim())) || [];
  if (traceId === undefined || flags === undefined || (version === '00' && more !== undefined)) return undefined;
  return { traceId, flags: (Number.parseInt(flags, 16) & knownFlags).toString(16).padStart(2, '0') };
}

/** The header for a call of ours: the same trace, and an id of its own for the call. */
export function newTraceparent({ traceId, flags }: Trace): string {
  return `00-${traceId}-${newParentId()}-${flags}`;
}

/** All zeros would be no id. */
function newParentId(): string {
  const id = randomBytes(8).toString('hex');
  return /^0+$/.test(id) ? newParentId() : id;
}
