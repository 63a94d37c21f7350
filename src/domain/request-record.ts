import type { GenerationReport, Settlement } from './image-answer.ts';

/** Everything about one HTTP request to the gateway that is worth a log line or a counter. */
export type RequestRecord = {
  readonly requestId: string;
  readonly method: string;
  /** The route's pattern, or `unknown`: never the URL itself. */
  readonly route: string;
  readonly startedAt: number;
  /** What `x-stainless-retry-count` says: above 0, the caller's SDK asks again by itself. */
  readonly clientRetry: number;
  /** Never logged: its length and a keyed hash are. */
  prompt?: string;
  /** How many pictures were asked for, and how many were written completely. */
  count?: number;
  images: number;
  bytesOut: number;
  generation?: GenerationReport;
  settlement?: Settlement;
  error?: unknown;
};

/** What the HTTP surface tells about its requests; it never throws. */
export interface RequestRecorder {
  requestStarted(): void;
  /** `status` 499: the caller left before it got an answer. */
  requestEnded(record: RequestRecord, status: number): void;
}
