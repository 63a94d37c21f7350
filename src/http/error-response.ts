import type { FastifyReply } from 'fastify';
import { type ErrorKind, GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReport } from '../domain/generation-reader.ts';
import type { RequestRecord } from '../domain/request-record.ts';
import { repeatAfter } from '../targets/outcome.ts';
import { lingerBeforeClose } from './lingering-close.ts';

type CallerView = { readonly status: number; readonly type: string; readonly code: string };

const invalidRequest = 'invalid_request_error';
const contentRefused = 'image_generation_user_error';
const serverError = 'server_error';

/** What clients get for each failure: HTTP status, and OpenAI's `type` and `code`. */
export const callerViews: Readonly<Record<ErrorKind, CallerView>> = {
  missing_required_parameter: { status: 400, type: invalidRequest, code: 'missing_required_parameter' },
  invalid_value: { status: 400, type: invalidRequest, code: 'invalid_value' },
  unsupported_parameter: { status: 400, type: invalidRequest, code: 'unsupported_parameter' },
  unsupported_operation: { status: 400, type: invalidRequest, code: 'unsupported_operation' },
  unsupported_endpoint: { status: 404, type: invalidRequest, code: 'unsupported_operation' },
  invalid_image_file: { status: 400, type: invalidRequest, code: 'invalid_image_file' },
  unknown_parameter: { status: 400, type: invalidRequest, code: 'unknown_parameter' },
  invalid_json: { status: 400, type: invalidRequest, code: 'invalid_json' },
  invalid_request: { status: 400, type: invalidRequest, code: 'invalid_request' },
  invalid_api_key: { status: 401, type: invalidRequest, code: 'invalid_api_key' },
  not_permitted: { status: 403, type: invalidRequest, code: 'unsupported_operation' },
  forbidden_origin: { status: 403, type: invalidRequest, code: 'forbidden_origin' },
  model_not_found: { status: 404, type: invalidRequest, code: 'model_not_found' },
  // The code that Azure's clients know.
  deployment_not_found: { status: 404, type: invalidRequest, code: 'DeploymentNotFound' },
  unknown_url: { status: 404, type: invalidRequest, code: 'unknown_url' },
  method_not_allowed: { status: 405, type: invalidRequest, code: 'method_not_allowed' },
  request_timeout: { status: 408, type: invalidRequest, code: 'request_timeout' },
  request_too_large: { status: 413, type: invalidRequest, code: 'request_too_large' },
  unsupported_content_type: { status: 415, type: invalidRequest, code: 'unsupported_content_type' },
  range_not_satisfiable: { status: 416, type: invalidRequest, code: 'range_not_satisfiable' },
  expectation_failed: { status: 417, type: invalidRequest, code: 'invalid_request' },
  header_too_large: { status: 431, type: invalidRequest, code: 'header_too_large' },
  client_gone: { status: 499, type: invalidRequest, code: 'client_gone' },
  internal_error: { status: 500, type: serverError, code: 'internal_error' },
  storage_failed: { status: 507, type: serverError, code: 'storage_failed' },
  storage_full: { status: 503, type: serverError, code: 'storage_full' },
  store_unavailable: { status: 503, type: serverError, code: 'store_unavailable' },
  idempotency_in_flight: { status: 409, type: invalidRequest, code: 'idempotency_in_flight' },
  idempotency_key_reused: { status: 422, type: invalidRequest, code: 'idempotency_key_reused' },
  idempotency_result_gone: { status: 410, type: invalidRequest, code: 'idempotency_result_gone' },
  job_not_found: { status: 404, type: invalidRequest, code: 'job_not_found' },
  job_not_completed: { status: 409, type: invalidRequest, code: 'job_not_completed' },
  job_not_cancellable: { status: 400, type: invalidRequest, code: 'job_not_cancellable' },
  job_cancelled: { status: 410, type: invalidRequest, code: 'job_cancelled' },
  too_many_jobs: { status: 429, type: 'requests', code: 'too_many_jobs' },
  previous_response_not_found: { status: 400, type: invalidRequest, code: 'previous_response_not_found' },
  rate_limited: { status: 429, type: 'requests', code: 'rate_limit_exceeded' },
  // OpenAI's type for an account that has nothing left.
  budget_exceeded: { status: 429, type: 'insufficient_quota', code: 'budget_exceeded' },
  overloaded: { status: 503, type: serverError, code: 'overloaded' },
  deadline_exceeded: { status: 504, type: serverError, code: 'deadline_exceeded' },
  upstream_unknown_parameter: { status: 400, type: invalidRequest, code: 'unknown_parameter' },
  upstream_unsupported_parameter: { status: 400, type: invalidRequest, code: 'unsupported_parameter' },
  upstream_refused_value: { status: 400, type: invalidRequest, code: 'invalid_value' },
  upstream_refused_request: { status: 400, type: invalidRequest, code: 'invalid_request' },
  upstream_refused_image: { status: 400, type: invalidRequest, code: 'invalid_image_file' },
  upstream_refused_size: { status: 413, type: invalidRequest, code: 'request_too_large' },
  upstream_refused_content_type: { status: 415, type: invalidRequest, code: 'unsupported_content_type' },
  upstream_refused_content: { status: 422, type: invalidRequest, code: 'invalid_request' },
  content_policy_violation: { status: 400, type: contentRefused, code: 'content_policy_violation' },
  moderation_blocked: { status: 400, type: contentRefused, code: 'moderation_blocked' },
  upstream_rate_limited: { status: 429, type: 'requests', code: 'rate_limit_exceeded' },
  upstream_quota_exhausted: { status: 429, type: 'insufficient_quota', code: 'insufficient_quota' },
  upstream_declined: { status: 502, type: serverError, code: 'upstream_unavailable' },
  upstream_transient: { status: 502, type: serverError, code: 'upstream_unavailable' },
  upstream_auth_failed: { status: 502, type: serverError, code: 'upstream_auth_failed' },
  upstream_token_refused: { status: 502, type: serverError, code: 'upstream_auth_failed' },
  upstream_misconfigured: { status: 502, type: serverError, code: 'upstream_misconfigured' },
  upstream_generation_failed: { status: 502, type: serverError, code: 'upstream_generation_failed' },
  upstream_incomplete: { status: 502, type: serverError, code: 'upstream_generation_failed' },
  upstream_no_image: { status: 502, type: serverError, code: 'upstream_no_image' },
  upstream_outcome_unknown: { status: 502, type: serverError, code: 'upstream_outcome_unknown' },
  upstream_invalid_response: { status: 502, type: serverError, code: 'upstream_invalid_response' },
  upstream_result_unavailable: { status: 502, type: serverError, code: 'upstream_result_unavailable' },
  upstream_unavailable: { status: 503, type: serverError, code: 'upstream_unavailable' },
  upstream_blocked: { status: 503, type: serverError, code: 'upstream_unavailable' },
  upstream_timeout: { status: 504, type: serverError, code: 'upstream_outcome_unknown' },
};

/** An error as OpenAI's clients read it; anything but a GatewayError is an internal error and stays unexplained. */
export function errorBody(error: GatewayError): { error: Record<string, unknown> } {
  const { type, code } = callerViews[error.kind];
  const { moderation } = error;
  return {
    error: {
      message: error.message,
      type,
      param: error.param ?? null,
      code,
      ...(moderation && {
        moderation_details: { moderation_stage: moderation.stage, categories: moderation.categories },
      }),
    },
  };
}

/** How clients of a surface read errors. */
export type ErrorForm = (error: GatewayError) => {
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
};

export const openaiErrors: ErrorForm = (error) => ({ body: errorBody(error) });

/**
 * Sends an error response. What OpenAI's SDKs would retry by themselves, although that could buy the image again or is of no
 * use, tells them not to. @param spent what the request has cost so far, if it was started
 */
export function writeError(
  reply: FastifyReply,
  error: GatewayError,
  spent: Spent | undefined,
  form = openaiErrors,
): FastifyReply {
  const { status } = callerViews[error.kind];
  const { body, headers = {} } = form(error);
  if (isRetriedBySdks(status) && !mayRetry(error, spent)) reply.header('x-should-retry', 'false');
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (error.retryAfterMs !== undefined) {
    reply.header('retry-after-ms', String(error.retryAfterMs));
    reply.header('retry-after', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  lingerBeforeClose(reply.raw);
  return reply.code(status).headers(headers).type('application/json').send(body);
}

/** Whether OpenAI's SDKs retry by themselves after a response with this status. */
export function isRetriedBySdks(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

/** What a request has cost so far. */
export type Spent = Pick<GenerationReport, 'sent' | 'maxRetries' | 'attempts'>;

/** The same by a request's record; `undefined`: nothing was started for it. */
export function spentOf({ generation, forwarded, method }: RequestRecord): Spent | undefined {
  if (generation) return generation.report;
  // A forwarded request is sent once, and nothing but a POST costs anything.
  return forwarded && { sent: forwarded.sent && method === 'POST', maxRetries: 0, attempts: 1 };
}

/** Some SDKs take a longer wait for no wait at all, and retry at once. */
const maxWaitMs = 60_000;

/**
 * Whether a client may retry a failed request by itself: never where an image may have been made, nor where the gateway has
 * retried it already, nor where a retry cannot help.
 */
export function mayRetry(error: GatewayError, spent: Spent | undefined): boolean {
  const { kind, outcome, retryAfterMs = 0 } = error;
  if (retryAfterMs > maxWaitMs || kind === 'budget_exceeded') return false;
  if (kind === 'store_unavailable' || kind === 'storage_full' || kind === 'job_not_completed') return false;
  // The same key never buys again.
  if (kind === 'idempotency_in_flight') return true;
  if (outcome === undefined || kind === 'deadline_exceeded' || kind === 'overloaded') return spent?.sent !== true;
  if (outcome !== 'not-processed' || repeatAfter(error) === 'elsewhere') return false;
  // Another call of the same request may have made its images.
  return spent?.maxRetries === 0 && spent.attempts <= 1;
}

/** Any thrown value as the error that its client may see. */
export function asGatewayError(error: unknown, requestId: string): GatewayError {
  if (error instanceof GatewayError) return error;
  const message = `The gateway failed unexpectedly. Its log has the details of request ${requestId}.`;
  return new GatewayError('internal_error', message, { cause: error });
}

/** Fastify's errors, by their codes, in our words: their own messages and shapes are not those of OpenAI's API. */
const frameworkErrors: Readonly<Record<string, [ErrorKind, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_content_type',
    "The request's content-type must be application/json; for edits, multipart/form-data is another choice.",
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'The request has no body; it must be a JSON object.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json', "The request's body is not valid JSON."],
};

/** An error of Fastify or Node as one of ours. `undefined` for anything that is not the client's fault. */
export function frameworkError(error: unknown, bodyLimit: number): GatewayError | undefined {
  const { code = '', statusCode } = error as { code?: string; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new GatewayError('request_too_large', `The request's body is longer than ${bodyLimit} bytes.`);
  }
  const known = frameworkErrors[error instanceof SyntaxError ? 'FST_ERR_CTP_INVALID_JSON_BODY' : code];
  if (known) return new GatewayError(...known);
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new GatewayError('invalid_request', 'The request is not valid HTTP for this server.', { cause: error });
  }
  return undefined;
}
