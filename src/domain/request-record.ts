import type { GenerationReport } from './generation.ts';

/** Everything about one HTTP request to the gateway that is worth a log line or a counter. */
export type RequestRecord = {
  readonly requestId: string;
  readonly method: string;
  /** The route's pattern, or `unknown`: never the URL itself. */
  readonly route: string;
  readonly startedAt: number;
  /** The name of the key that was shown, never the key; `undefined`: none was asked for, or none was valid. */
  key?: string;
  /** What `x-stainless-retry-count` says: above 0, the caller's SDK asks again by itself. */
  readonly clientRetry: number;
  /** Never logged: its length and a keyed hash are. */
  prompt?: string;
  /** How many pictures were asked for, and how many were written completely. */
  count?: number;
  images: number;
  bytesOut: number;
  generation?: GenerationReport;
  error?: unknown;
};

/** How a request ended: `torn` is an answer that broke off, `left` a caller that closed its connection early. */
export type RequestEnd = { readonly how: 'answered' | 'torn' | 'left'; readonly status: number };

/** What the HTTP surface tells about its requests; it never throws. */
export interface RequestRecorder {
  requestStarted(): void;
  requestEnded(record: RequestRecord, end: RequestEnd): void;
}
