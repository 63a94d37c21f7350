import { hash, randomBytes } from 'node:crypto';
import { EgressProxyError, egressProxyHint } from '../domain/egress-proxy.ts';
import { type ErrorKind, GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReport } from '../domain/generation-reader.ts';
import { callerTexts, type ImageRequest } from '../domain/image-request.ts';
import type { AttemptEnd } from '../domain/recorder.ts';
import { redactUpstream } from '../domain/redact-upstream.ts';
import type { RequestEnd, RequestRecord } from '../domain/request-record.ts';
import { billFacts } from './bill-facts.ts';

// Without this, which dies with the process, nobody can test a guessed prompt against the log.
const salt = randomBytes(32).toString('base64');

/** The one log line of a request: facts only. Of the prompt it has the length and a keyed hash, to tell equal ones. */
export function wideRecord(record: RequestRecord, { how, status }: RequestEnd): Record<string, unknown> {
  const generation = record.generation?.report;
  const prompt = record.request?.prompt;
  const now = performance.now();
  return {
    requestId: record.requestId,
    client: record.client,
    method: record.method,
    route: record.route,
    status,
    end: how,
    ...(record.key !== undefined && { key: record.key }),
    ...outcomeFacts(record, how),
    durationMs: Math.round(now - record.startedAt),
    ...(record.trace && { traceId: record.trace.traceId }),
    ...(record.clientRetry > 0 && { clientRetry: record.clientRetry }),
    ...(generation && {
      model: generation.model,
      target: generation.target,
      provider: generation.provider,
      attempts: generation.attempts,
      sent: generation.sent,
      adaptations: generation.adaptations,
      ...stepFacts(generation, record.startedAt, now),
      upstreamRequestId: generation.upstreamRequestId,
      count: record.count,
      images: record.images,
      ...billFacts(generation.bill),
    }),
    bytesIn: record.bytesIn,
    bytesOut: record.bytesOut,
    ...(prompt !== undefined && { promptLength: prompt.length, promptHash: keyedHash(prompt) }),
    ...(record.error !== undefined && { error: errorFacts(record.error, record.request) }),
  };
}

/** How a request for images ended, in the words for calls; of requests that the gateway refuses by itself: nothing. */
function outcomeFacts({ generation, error }: RequestRecord, how: RequestEnd['how']): { outcome?: AttemptEnd } {
  if (!generation) return {};
  if (how === 'disconnected') return { outcome: 'abandoned' };
  if (how === 'truncated') return { outcome: 'truncated' };
  if (error === undefined) return { outcome: 'delivered' };
  return error instanceof GatewayError && error.outcome !== undefined ? { outcome: error.outcome } : {};
}

/** The steps of a request, in milliseconds: its arrival, the queues, the calls, and the transfer of the answer. */
function stepFacts({ startedAt, knownAt, queueMs, upstreamMs }: GenerationReport, begin: number, now: number) {
  return {
    // What an earlier request has left had begun before this one.
    receiveMs: Math.max(0, Math.round(startedAt - begin)),
    queueMs: Math.round(queueMs),
    ...(upstreamMs !== undefined && { upstreamMs: Math.round(upstreamMs) }),
    ...(knownAt !== undefined && { transferMs: Math.round(now - Math.max(knownAt, begin)) }),
  };
}

/** Asked every few seconds by whoever watches the process; their answers are no news. */
const probes = ['/', '/healthz', '/readyz', '/metrics'];

/** How loud a request is in the log: callers' mistakes are everyday life, ours are not. */
export function levelOf(
  { error, route }: RequestRecord,
  { how, status }: RequestEnd,
): 'debug' | 'info' | 'warn' | 'error' {
  if (probes.includes(route)) return 'debug';
  if (error !== undefined && !(error instanceof GatewayError) && status === 500) return 'error';
  return how === 'truncated' || status >= 500 || status === 429 ? 'warn' : 'info';
}

function keyedHash(prompt: string): string {
  return hash('sha256', `${salt}${prompt}`, 'base64url').slice(0, 16);
}

/** @param request its texts are removed from what the upstream says */
export function errorFacts(error: unknown, request: ImageRequest | undefined): Record<string, unknown> {
  if (!(error instanceof GatewayError)) return unexpected(error);
  const { kind, outcome, param, cause, upstream } = error;
  return {
    kind,
    outcome,
    param,
    upstream: upstream && redactUpstream(upstream, request ? callerTexts(request) : []),
    cause: causeFacts(cause),
    hint: operatorHint(error),
  };
}

/** What an operator can do about a failure; `undefined`: it is its caller's, or speaks for itself. */
export function operatorHint({ kind, cause, hint }: GatewayError): string | undefined {
  return cause instanceof EgressProxyError ? egressProxyHint(cause.code) : (hint ?? operatorHints[kind]);
}

const operatorHints: Readonly<Partial<Record<ErrorKind, string>>> = {
  upstream_auth_failed: 'there is no token for the target: check `auth`, and the identity of this process',
  upstream_token_refused: 'the token was refused and replaced; if this goes on, check auth.entra.scope',
  upstream_misconfigured: 'check the address and the deployment of the target',
  upstream_quota_exhausted: 'the Azure account has no quota or credit left for this deployment',
  upstream_blocked: 'Azure has blocked the whole resource for its content; ask its support, and use another resource',
  storage_failed: 'check free space and permissions of DATA_DIR',
};

/** Our own bug: its stack is what is needed to find it. */
function unexpected(error: unknown): Record<string, unknown> {
  return error instanceof Error ? { kind: error.name, stack: error.stack } : { kind: typeof error };
}

/** Of other libraries' errors only name and code: their messages may quote what they were given. */
export function causeFacts(cause: unknown): unknown {
  if (cause instanceof GatewayError) return cause.kind;
  if (cause instanceof Error) {
    const { code } = cause as NodeJS.ErrnoException;
    return { name: cause.name, code };
  }
  return cause;
}
