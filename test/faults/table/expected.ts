import type { AttemptEnd } from '../../../src/domain/recorder.ts';

/** What one paid call comes to when its fault stays, with one target and the default configuration. */
export type Expected = {
  readonly status: number;
  /** `undefined`: success, as far as it gets. */
  readonly code?: string;
  readonly param?: string;
  readonly shouldRetry?: 'false';
  readonly retryAfterMs?: number;
  /** The image that the caller has at the end, and how many of it, unless it gets as many as the mode asks for. */
  readonly image?: 'whole' | 'cut';
  readonly images?: number;
  /** How often a client that repeats by itself has called in the end; once, if left out. */
  readonly sdkCalls?: number;
  /** Paid calls that were begun, arrived completely, and would be billed. */
  readonly attempts: number;
  readonly received: number;
  readonly accepted: number;
  /** GETs that arrived, where that matters, and POSTs that ended a job; none, if left out. */
  readonly polls?: number;
  readonly cancels?: number;
  /** How the gateway counts each of them; all of them in `ends`, where they differ. */
  readonly end: AttemptEnd;
  readonly ends?: Readonly<Partial<Record<AttemptEnd, number>>>;
};

const final = { shouldRetry: 'false' } as const;
const once = { attempts: 1, received: 1 } as const;
const thrice = { attempts: 3, received: 3 } as const;
const billed = { ...once, accepted: 1 } as const;
const notBilled = { ...once, accepted: 0 } as const;
const neverBilled = { ...thrice, accepted: 0 } as const;

const unavailable = { status: 503, code: 'upstream_unavailable', end: 'not-processed', ...final } as const;
const useless = { end: 'not-processed', ...final, ...notBilled } as const;
const lost = { status: 502, end: 'unknown', ...final, ...billed } as const;

/** What each row of the fault matrix comes to. */
export const expected = {
  unreachable: { ...unavailable, attempts: 3, received: 0, accepted: 0 },
  busy: { ...unavailable, ...neverBilled },
  limited: { status: 429, code: 'rate_limit_exceeded', end: 'not-processed', ...final, ...neverBilled },
  failed: { status: 502, code: 'upstream_generation_failed', end: 'failed', ...final, ...neverBilled },
  unknown: { ...lost, code: 'upstream_outcome_unknown' },
  late: { ...lost, status: 504, code: 'upstream_outcome_unknown' },
  /** A job may run on, for nobody: it is ended. */
  lateJob: { ...lost, status: 504, code: 'upstream_outcome_unknown', cancels: 1 },
  unknownJob: { ...lost, code: 'upstream_outcome_unknown', cancels: 1 },
  invalid: { ...lost, code: 'upstream_invalid_response' },
  resultLost: { ...lost, code: 'upstream_result_unavailable' },
  misconfigured: { ...useless, status: 502, code: 'upstream_misconfigured' },
  authFailed: { ...useless, status: 502, code: 'upstream_auth_failed' },
  /** A refusal that nobody has described: another target may make the image. */
  declined: { ...useless, status: 502, code: 'upstream_unavailable' },
  blocked: { ...useless, status: 503, code: 'upstream_unavailable' },
  quota: { ...useless, status: 429, code: 'insufficient_quota' },
  oddTwice: {
    ...useless,
    status: 502,
    code: 'upstream_unavailable',
    attempts: 2,
    received: 2,
  },
  /** The chat model was paid for its words, and no image is billed. */
  noImage: { status: 502, code: 'upstream_no_image', end: 'failed', ...final, ...notBilled },
  /** A limit has cut the chat model's work, and would cut it again. */
  incomplete: { status: 502, code: 'upstream_generation_failed', end: 'failed', ...final, ...notBilled },
  contentRefused: { status: 400, code: 'content_policy_violation', end: 'refused', ...notBilled },
  moderationBlocked: { status: 400, code: 'moderation_blocked', end: 'refused', ...notBilled },
  imageRefused: { status: 400, code: 'invalid_image_file', end: 'refused', ...notBilled },
  valueRefused: { status: 400, code: 'invalid_value', end: 'refused', ...notBilled },
  /** Ours: truncated, or in an event stream ended with an `error` event. */
  truncated: { status: 200, code: 'upstream_outcome_unknown', end: 'truncated', ...billed },
  done: { status: 200, image: 'whole', end: 'delivered', ...billed },
  doneCut: { status: 200, image: 'cut', end: 'delivered', ...billed },
} as const satisfies Record<string, Expected>;
