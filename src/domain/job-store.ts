import type { GatewayError } from './gateway-error.ts';
import type { UpstreamHandle } from './image-provider.ts';

/** Names a job, and the generation that runs it: unguessable. */
export type JobId = string;

/** Who asks for what: only an equal request of the same consumer may join a job. */
export type JobClaim = {
  readonly consumer: string;
  /** Of the whole request. It may be computed when it is read: most requests need none. */
  readonly fingerprint: string;
};

/** What a claim gets: a job of its own, one that its client has left, or the unknown outcome of a moment ago. */
export type Claimed =
  | { readonly kind: 'new' | 'joined'; readonly job: JobId }
  | { readonly kind: 'unknown'; readonly error: GatewayError };

/** How a job ended. */
export type JobEnd =
  | { readonly name: 'done' | 'cancelled' }
  | { readonly name: 'refused' | 'failed' | 'not_processed' | 'unknown'; readonly error: unknown };

/**
 * Where jobs are kept, so that an image is paid for once: a retry of the same request finds its job, and a paid call is
 * recorded before it is sent.
 */
export interface JobStore {
  /** For how long a job without readers runs on and may be joined, and an unknown outcome is remembered, in milliseconds. */
  readonly lingerMs: number;
  claim(claim: JobClaim): Promise<Claimed>;
  /** Whether a claim of this consumer might join a job, and so need no permits of its own. */
  mayJoin(consumer: string): boolean;
  /** The job has lost its last reader: until it ends, the next equal claim joins it. */
  orphan(job: JobId): void;
  /** Awaited before each paid call of the job. Rejects when that cannot be recorded: the call must not be sent then. */
  dispatch(job: JobId): Promise<void>;
  /** Awaited before the first poll: by the handle, accepted work can be followed by another process. */
  note(job: JobId, handle: UpstreamHandle): Promise<void>;
  finish(job: JobId, end: JobEnd): Promise<void>;
}
