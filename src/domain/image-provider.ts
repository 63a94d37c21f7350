import type { ImageEvent } from './image-event.ts';
import type { ImageRequest, Operation } from './image-request.ts';
import type { QuotaFacts } from './quota-pools.ts';
import type { Recorder } from './recorder.ts';

/** What is known of one paid call. The upstream client writes it; generations read it. */
export type Attempt = {
  /** True once the first byte of the paid POST may have left the process: from then on it may be billed. */
  sent: boolean;
  /** The upstream's own id of the call, for the log: its support asks for it. */
  upstreamRequestId?: string;
  /** The status of the upstream's response, once there is one. */
  status?: number;
  /** What that response says about the quota of the call. */
  quota?: QuotaFacts;
  /** The trace that the call is a part of, as a `traceparent` header. */
  readonly traceparent?: string | undefined;
};

/**
 * Names work that an upstream has accepted, so that it can be followed again, also by another process: the path of an
 * operation, or the id of a response. Holds no credential and no host.
 */
export type UpstreamHandle = string;

/** What a provider gets for one call: how it ends early, and what it must report before each step that costs money. */
export interface ProviderCall {
  /** Ends with the generation: deadline, lost client, shutdown. Its reason is a GatewayError. */
  readonly signal: AbortSignal;
  /** When free steps after the paid call are tried for the last time, as of `performance.now()`; by default never. */
  readonly retryUntil?: number;
  readonly attempt: Attempt;
  readonly recorder: Recorder;
  /**
   * Awaited immediately before the paid POST, when everything else is ready, the credential included. Nothing may be sent
   * before it has resolved; a rejection (a GatewayError with outcome `not-processed`) is the call's failure.
   */
  dispatch(): Promise<void>;
  /** Awaited before the first poll of work that the upstream has accepted, so that a restart can follow it. */
  note(handle: UpstreamHandle): Promise<void>;
  /** Whether accepted work is to go on when the call ends early, because somebody will follow it by its handle. */
  readonly isFollowed?: boolean;
}

/** How one upstream protocol is spoken to one target. */
export interface ImageProvider {
  /** The protocol's name in configuration, logs and metrics. */
  readonly id: string;
  /** What the protocol has words for. */
  readonly operations: readonly Operation[];
  /**
   * Asks the upstream for images. The promise settles only when the outcome is known: with the first checked bytes
   * of an image, or with the complete values. Until then it rejects with a GatewayError that has an `outcome`;
   * afterwards the attempt is committed, and a failure is the iterator throwing a GatewayError.
   */
  generate(request: ImageRequest, call: ProviderCall): Promise<AsyncIterable<ImageEvent>>;
  /** Whether work that the upstream has accepted is cancelled there when its call ends early, and nobody follows it. */
  readonly cancelsAccepted?: boolean;
  /** Follows work that was accepted before, by its handle: polls again, never pays again. Settles as `generate` does. */
  resume?(handle: UpstreamHandle, call: ProviderCall): Promise<AsyncIterable<ImageEvent>>;
}
