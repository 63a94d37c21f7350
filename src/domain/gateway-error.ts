/**
 * What is known about a paid call that failed.
 * - `not-processed`: no image was made, and nothing was billed.
 * - `failed`: the upstream itself says that it ended without an image.
 * - `refused`: the upstream refused this content or these parameters; a retry cannot help.
 * - `unknown`: it may have run and may be billed.
 */
export type Outcome = 'not-processed' | 'failed' | 'refused' | 'unknown';

/** Every failure that the gateway can name. What a caller is told for each one stands in `http/error-response.ts`. */
export type ErrorKind =
  // the caller's request, found by the gateway itself
  | 'missing_required_parameter'
  | 'invalid_value'
  | 'unsupported_parameter'
  | 'unsupported_operation'
  | 'unsupported_endpoint'
  | 'invalid_image_file'
  | 'unknown_parameter'
  | 'invalid_json'
  | 'invalid_request'
  | 'invalid_api_key'
  | 'not_permitted'
  | 'forbidden_origin'
  | 'model_not_found'
  | 'deployment_not_found'
  | 'unknown_url'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'request_too_large'
  | 'header_too_large'
  | 'unsupported_content_type'
  | 'expectation_failed'
  | 'range_not_satisfiable'
  // the gateway's own state
  | 'client_gone'
  | 'rate_limited'
  | 'budget_exceeded'
  | 'overloaded'
  | 'deadline_exceeded'
  | 'storage_failed'
  | 'storage_full'
  | 'store_unavailable'
  | 'idempotency_in_flight'
  | 'idempotency_key_reused'
  | 'idempotency_result_gone'
  | 'job_not_found'
  | 'job_not_completed'
  | 'job_not_cancellable'
  | 'job_cancelled'
  | 'too_many_jobs'
  | 'previous_response_not_found'
  | 'internal_error'
  // the caller's request, refused by the upstream
  | 'upstream_unknown_parameter'
  | 'upstream_unsupported_parameter'
  | 'upstream_refused_value'
  | 'upstream_refused_request'
  | 'upstream_refused_image'
  | 'upstream_refused_size'
  | 'upstream_refused_content_type'
  | 'upstream_refused_content'
  | 'content_policy_violation'
  | 'moderation_blocked'
  // the upstream
  | 'upstream_unavailable'
  | 'upstream_declined'
  | 'upstream_transient'
  | 'upstream_blocked'
  | 'upstream_auth_failed'
  | 'upstream_token_refused'
  | 'upstream_misconfigured'
  | 'upstream_rate_limited'
  | 'upstream_quota_exhausted'
  | 'upstream_generation_failed'
  | 'upstream_no_image'
  | 'upstream_incomplete'
  | 'upstream_outcome_unknown'
  | 'upstream_timeout'
  | 'upstream_invalid_response'
  | 'upstream_result_unavailable';

/** Why and at which stage an image was refused, as OpenAI reports it; severities never leave the gateway. */
export type ModerationDetails = {
  readonly stage: 'input' | 'output' | 'unknown';
  readonly categories: readonly string[];
};

/** What an upstream says about a failure in its own words. For the log, the doctor and the smoke test; never for callers. */
export type UpstreamMessage = {
  /** The HTTP status, where the failure came with one. */
  readonly status: number | undefined;
  /** As the upstream spells it. */
  readonly code: string | undefined;
  readonly message: string | undefined;
};

type Facts = {
  /** Set on every failure of a paid call. */
  readonly outcome?: Outcome | undefined;
  /** The wire name of the request's member that is at fault. */
  readonly param?: string | undefined;
  /** How long the upstream asks callers to wait. */
  readonly retryAfterMs?: number | undefined;
  readonly moderation?: ModerationDetails | undefined;
  /** For the operator: the one likely cause, and what to do about it. */
  readonly hint?: string | undefined;
  /** It cannot depend on the request: every call to this target would fail alike. */
  readonly isTargetWide?: boolean;
  readonly upstream?: UpstreamMessage | undefined;
  /** For the log only: what broke. */
  readonly cause?: unknown;
};

/** The one error that is meant for callers: its message is written to be shown to them. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly kind: ErrorKind;
  readonly #facts: Facts;

  constructor(kind: ErrorKind, message: string, facts: Facts = {}) {
    super(message, { cause: facts.cause });
    this.kind = kind;
    this.#facts = facts;
  }

  get outcome(): Outcome | undefined {
    return this.#facts.outcome;
  }

  get param(): string | undefined {
    return this.#facts.param;
  }

  get retryAfterMs(): number | undefined {
    return this.#facts.retryAfterMs;
  }

  get moderation(): ModerationDetails | undefined {
    return this.#facts.moderation;
  }

  get hint(): string | undefined {
    return this.#facts.hint;
  }

  get isTargetWide(): boolean {
    return this.#facts.isTargetWide ?? false;
  }

  get upstream(): UpstreamMessage | undefined {
    return this.#facts.upstream;
  }

  /** The same failure with other facts. */
  with(facts: Facts, message = this.message): GatewayError {
    return new GatewayError(this.kind, message, { ...this.#facts, ...facts });
  }
}
