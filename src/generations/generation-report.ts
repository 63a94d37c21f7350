import type { GenerationReport, Settlement } from '../domain/generation-reader.ts';
import type { Delivery, ImageRequest } from '../domain/image-request.ts';
import type { JobId, StoredEvent, StoredResponse } from '../domain/job-store.ts';
import type { AttemptEnd } from '../domain/recorder.ts';
import type { Account } from './account.ts';
import type { Permits } from './admission.ts';
import { billOf, certainCostOf, sumOfBills } from './billing.ts';
import { storedReport } from './ends.ts';
import type { GenerationCalls } from './failover.ts';
import { factsOf } from './journal.ts';
import type { CallContext } from './upstream-call.ts';

/** What is known of a generation, as far as it has come. */
export type Progress = {
  readonly id: JobId;
  readonly model: { readonly name: string };
  readonly request: ImageRequest;
  readonly maxRetries: number;
  readonly timeoutMs: number;
  readonly permits: Pick<Permits, 'imageQuota'>;
  readonly account: Pick<Account, 'usage'>;
  readonly calls: GenerationCalls;
  readonly context: Pick<CallContext, 'delivery'>;
  /** It has images, which are delivered, or are still to be. */
  readonly hasImages: boolean;
  /** When it began, and when its outcome was known, as of `performance.now()`. */
  readonly startedAt: number;
  readonly knownAt: number | undefined;
  /** How long it waited for its permit of the process. */
  readonly permitMs: number;
};

/** What has happened so far. */
export function reportOf({
  permits,
  account,
  calls: made,
  startedAt,
  knownAt,
  ...progress
}: Progress): GenerationReport {
  const { calls, adaptations, asked } = made;
  const target = calls.at(-1)?.target;
  const bill = sumOfBills(calls.map(billOf));
  const isCostKnown = progress.hasImages && !progress.request.stream && bill.currency !== undefined;
  const queueMs = calls.reduce((sum, call) => sum + call.queueMs, progress.permitMs);
  return {
    id: progress.id,
    model: progress.model.name,
    target: target?.name,
    provider: target?.provider.id,
    asked: factsOf(asked),
    adaptations,
    attempts: calls.length,
    sent: calls.some(({ attempt }) => attempt.sent),
    maxRetries: progress.maxRetries,
    timeoutMs: progress.timeoutMs,
    queueMs,
    // Calls that wait at the same time count each.
    upstreamMs: knownAt && Math.max(0, knownAt - startedAt - queueMs),
    startedAt,
    knownAt,
    bill,
    // The calls of a stream may not even have been made.
    costAhead: isCostKnown ? certainCostOf(calls) : undefined,
    imageQuota: permits.imageQuota?.(),
    budget: account.usage,
    upstreamRequestId: calls.map(({ attempt }) => attempt.upstreamRequestId).findLast((id) => id !== undefined),
  };
}

/** How images come to clients that do not say how. */
export function defaultDelivery({ calls }: Pick<GenerationCalls, 'calls'>): Delivery {
  return calls.at(-1)?.ownDelivery ?? 'b64_json';
}

/** What is recorded of a response. */
export function storedResponse(progress: Progress, events: readonly StoredEvent[]): StoredResponse {
  const { delivery: asked } = progress.context;
  const report = storedReport(reportOf(progress));
  return { report, delivery: defaultDelivery(progress.calls), ...(asked && { asked }), events };
}

type Ended = {
  readonly how: Settlement;
  /** `undefined` for a failure that says nothing about a paid call. */
  readonly outcome: AttemptEnd | undefined;
  readonly error: unknown;
  /** Its accepted work goes on elsewhere, and is recorded there. */
  readonly isParked: boolean;
};

/** Records how a generation and its calls have ended, for the log and metrics. */
export function recordEnd(
  progress: Progress,
  { recorder, requestId, trace }: Pick<CallContext, 'recorder' | 'requestId' | 'trace'>,
  { how, outcome, error, isParked }: Ended,
): void {
  const { calls } = progress.calls;
  for (const call of calls) {
    if (isParked && call.isOpen) continue;
    recorder.attemptEnded(call.record(how));
    if (call.isShort) recorder.anomaly('fewer_images');
  }
  recorder.generationEnded({
    requestId,
    traceId: trace?.traceId,
    report: reportOf(progress),
    outcome,
    error,
    request: progress.request,
    images: calls.reduce((sum, { made }) => sum + (made?.images ?? 0), 0),
    durationMs: performance.now() - progress.startedAt,
  });
}
