import type { GenerationReport } from './generation-reader.ts';
import type { ImageRequest } from './image-request.ts';
import type { JobId } from './job-store.ts';
import type { ForwardedCall } from './pass-through.ts';
import type { Trace } from './trace.ts';

/** Everything about one HTTP request to the gateway that is worth a log line or a counter. */
export type RequestRecord = {
  readonly requestId: string;
  readonly method: string;
  /** The route's pattern, or `unknown`: never the URL itself. */
  readonly route: string;
  readonly startedAt: number;
  /** The client's address, if it is known. */
  readonly client?: string | undefined;
  /** The name of the key that was shown, never the key; `undefined`: none was asked for, or none was valid. */
  key?: string;
  /** What `x-stainless-retry-count` says: above 0, the client's SDK retries by itself. */
  readonly clientRetry: number;
  /** The client's own trace, if it has one. */
  readonly trace?: Trace | undefined;
  /** Never logged: the length of its prompt and a keyed hash of that are. */
  request?: ImageRequest;
  /** What of it has no effect, by name, as its response tells. */
  ignored?: readonly string[];
  /** How many images were asked for, and how many were written completely. */
  count?: number;
  images: number;
  /** Bytes of the response's body. */
  bytesOut: number;
  /** Bytes that came on the connection since the request before this one, heads included. */
  bytesIn: number;
  /** What it was told of its generation is read when the request has ended. */
  generation?: { readonly report: GenerationReport };
  /** What is known of it at Azure, where it was forwarded. */
  forwarded?: ForwardedCall;
  /** The job that it has started, or was given. */
  job?: JobId;
  error?: unknown;
};

/** How a request ended: `truncated` is a response that broke off, `disconnected` a client that closed its connection early. */
export type RequestEnd = { readonly how: 'completed' | 'truncated' | 'disconnected'; readonly status: number };

/** Where HTTP requests are reported; it never throws. */
export interface RequestRecorder {
  requestStarted(): void;
  requestEnded(record: RequestRecord, end: RequestEnd): void;
}
