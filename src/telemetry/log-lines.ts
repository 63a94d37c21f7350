import { hash, randomBytes } from 'node:crypto';
import type { Bill } from '../domain/bill.ts';
import { type Cost, costAsNumber } from '../domain/cost.ts';
import { EgressProxyError, egressProxyHint } from '../domain/egress-proxy.ts';
import { type ErrorKind, GatewayError } from '../domain/gateway-error.ts';
import { callerTexts, type ImageRequest } from '../domain/image-request.ts';
import type { ForwardedCall } from '../domain/pass-through.ts';
import type { AttemptRecord, GenerationRecord } from '../domain/recorder.ts';
import type { RequestEnd, RequestRecord } from '../domain/request-record.ts';
import { redactUpstream } from './redact-upstream.ts';

/** The fields of a log line: facts only, never a prompt, an image, a key or a URL. */
export type LogLine = Record<string, unknown>;

// Lost with the process: nobody can test a guessed prompt against the log.
const salt = randomBytes(32).toString('base64');

/** How a request went. Of the prompt it has the length and a keyed hash: equal prompts have equal hashes. */
export function requestLine(record: RequestRecord, { how, status }: RequestEnd): LogLine {
  const { startedAt, key, trace, clientRetry, error } = record;
  const generation = record.generation?.report;
  const prompt = record.request?.prompt;
  const now = performance.now();
  return {
    requestId: record.requestId,
    ...((generation || record.job !== undefined) && { generation: generation?.id ?? record.job }),
    ...(generation?.keyedAs !== undefined && { keyedAs: generation.keyedAs }),
    client: record.client,
    method: record.method,
    route: record.route,
    status,
    end: how,
    ...(key !== undefined && { key }),
    durationMs: Math.round(now - startedAt),
    // A rejoined generation had begun before this request.
    ...(generation && { receiveMs: Math.max(0, Math.round(generation.startedAt - startedAt)) }),
    ...(generation?.knownAt !== undefined && {
      transferMs: Math.round(now - Math.max(generation.knownAt, startedAt)),
    }),
    ...(generation && { count: record.count, images: record.images }),
    ...(trace && { traceId: trace.traceId }),
    ...(clientRetry > 0 && { clientRetry }),
    bytesIn: record.bytesIn,
    bytesOut: record.bytesOut,
    ...(record.forwarded && { forwarded: forwardedFacts(record.forwarded) }),
    ...(prompt !== undefined && {
      promptLength: prompt.length,
      promptHash: hash('sha256', `${salt}${prompt}`, 'base64url').slice(0, 16),
    }),
    ...(error !== undefined && { error: errorFacts(error, record.request) }),
  };
}

/** Azure's message is not among them: its client has it, and it may quote the prompt, which nobody has kept. */
function forwardedFacts({ sent, status, errorCode, upstreamRequestId }: ForwardedCall): LogLine {
  return { sent, status, errorCode, upstreamRequestId };
}

/** How a generation went: the lines of its requests name it. */
export function generationLine({ report, request, error, durationMs, ...facts }: GenerationRecord): LogLine {
  const { upstreamMs } = report;
  return {
    generation: report.id,
    requestId: facts.requestId,
    ...(facts.traceId !== undefined && { traceId: facts.traceId }),
    outcome: facts.outcome,
    durationMs: Math.round(durationMs),
    model: report.model,
    target: report.target,
    provider: report.provider,
    attempts: report.attempts,
    sent: report.sent,
    adaptations: report.adaptations,
    queueMs: Math.round(report.queueMs),
    ...(upstreamMs !== undefined && { upstreamMs: Math.round(upstreamMs) }),
    upstreamRequestId: report.upstreamRequestId,
    count: request.count,
    images: facts.images,
    ...billFacts(report.bill),
    ...(error !== undefined && { error: errorFacts(error, request) }),
  };
}

/** The line of one paid call. */
export function attemptLine(attempt: AttemptRecord): LogLine {
  const { end, queueMs, upstreamMs, bill, error, request, ...facts } = attempt;
  return {
    ...facts,
    ...(error && { error: errorFacts(error, request) }),
    outcome: end,
    queueMs: Math.round(queueMs),
    upstreamMs: Math.round(upstreamMs),
    ...billFacts(bill),
  };
}

/** Health checks and scrapes come every few seconds: their lines are for debugging. */
const probes = ['/', '/healthz', '/readyz', '/metrics'];

/** The level of a request's line: a client's mistake is `info`, what an operator should look at is `warn` or `error`. */
export function levelOf(
  { error, route }: RequestRecord,
  { how, status }: RequestEnd,
): 'debug' | 'info' | 'warn' | 'error' {
  if (probes.includes(route)) return 'debug';
  if (error !== undefined && !(error instanceof GatewayError) && status === 500) return 'error';
  return how === 'truncated' || status >= 500 || status === 429 ? 'warn' : 'info';
}

/** The level of a generation's line: what may have cost an image, or an operator should look at, is `warn`. */
export function levelOfGeneration({ error, outcome }: GenerationRecord): 'info' | 'warn' | 'error' {
  if (error !== undefined && !(error instanceof GatewayError)) return 'error';
  const isFine = outcome === undefined || ['delivered', 'refused', 'abandoned'].includes(outcome);
  return isFine ? 'info' : 'warn';
}

/** A bill for the log: `cost` is null where it is not known, and 0 only where nothing can have been billed. */
export function billFacts(bill: Bill): LogLine {
  const { currency, mayBeMore, isEstimate } = bill;
  const cost = knownCost(bill);
  return {
    cost: cost === undefined ? null : costAsNumber(cost),
    ...(cost !== undefined && currency !== undefined && { currency }),
    ...(isEstimate && { costEstimated: true }),
    ...(mayBeMore && { costMayBeMore: true }),
  };
}

/** The cost, where something is known of it; 0 only where nothing can have been billed. */
export function knownCost({ cost, mayBeMore }: Bill): Cost | undefined {
  return cost !== undefined && (cost > 0n || !mayBeMore) ? cost : undefined;
}

/** @param request its texts are removed from what the upstream says */
function errorFacts(error: unknown, request: ImageRequest | undefined): LogLine {
  if (!(error instanceof GatewayError)) {
    // Our own bug: its stack is what is needed to find it.
    return error instanceof Error ? { kind: error.name, stack: error.stack } : { kind: typeof error };
  }
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

/** What an operator can do about a failure; `undefined` where it is the client's, or needs no explanation. */
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
  storage_full: 'free space in DATA_DIR, raise limits.storeBytes, or lower limits.keepHours',
  store_unavailable:
    'check the database of JOBS_URL and the object store of IMAGES_URL, if they are set, and free space and permissions of DATA_DIR: nothing is sent to Azure that cannot be recorded',
};

/** Of other libraries' errors only name and code: their messages may quote what they were given. */
export function causeFacts(cause: unknown): unknown {
  if (cause instanceof GatewayError) return cause.kind;
  if (cause instanceof Error) {
    const { code } = cause as NodeJS.ErrnoException;
    return { name: cause.name, code };
  }
  return cause;
}
