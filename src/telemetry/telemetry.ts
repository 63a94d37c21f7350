import type { Logger } from 'pino';
import type { Tokens } from '../domain/bill.ts';
import { type BudgetUsage, microsAsText, timeAsText, usedShare } from '../domain/budget.ts';
import type { GatewayState } from '../domain/gateway-state.ts';
import type { ImageUploads } from '../domain/image-uploads.ts';
import type { JobStore } from '../domain/job-store.ts';
import type { QuotaFigures } from '../domain/quota-pools.ts';
import type { Recorder } from '../domain/recorder.ts';
import type { RequestRecorder } from '../domain/request-record.ts';
import { attemptLine, generationLine, levelOf, levelOfGeneration, operatorHint, requestLine } from './log-lines.ts';
import { createMetrics, statusClass } from './metrics.ts';

/** `refused`: the new configuration has mistakes, and the one from before goes on. */
export type ReloadResult = 'applied' | 'refused';

export type ReloadRecorder = { reloadEnded(result: ReloadResult): void };

export type Telemetry = Recorder &
  RequestRecorder &
  ReloadRecorder & {
    /** Where the state of the gateway can be read from now on. */
    watch(read: () => GatewayState): void;
    watchJobs(store: Pick<JobStore, 'figures' | 'transactions'>): void;
    /** Counts uploads, and writes a line when they begin to fail, fail in another way, or succeed again. */
    watchUploads(uploads: ImageUploads): void;
    watchBudgets(read: () => Promise<readonly (BudgetUsage & { readonly consumer: string })[]>): void;
    watchQuotas(read: () => Promise<readonly QuotaFigures[]>): void;
    metrics(): Promise<string>;
  };

/** The labels of tokens' kinds; `cached_in` are among the first two. */
const tokenKinds = {
  textIn: 'text_in',
  imageIn: 'image_in',
  cachedIn: 'cached_in',
  textOut: 'text_out',
  imageOut: 'image_out',
} as const satisfies Record<keyof Tokens, string>;

/** Counts what happens, and writes a log line for each request, generation and paid call. */
export function createTelemetry(logger: Logger): Telemetry {
  const metrics = createMetrics();
  /** Which soft limit each consumer has crossed last. */
  const crossings = new Map<string, string>();
  return {
    requestStarted: () => metrics.inFlight.inc(),
    requestEnded(record, end) {
      const { route, generation } = record;
      metrics.inFlight.dec();
      metrics.requests.inc({ route, status: end.status, end: end.how });
      metrics.duration.observe({ route }, (performance.now() - record.startedAt) / 1000);
      metrics.bytes.inc({ direction: 'in' }, record.bytesIn);
      metrics.bytes.inc({ direction: 'out' }, record.bytesOut);
      if (generation && record.images > 0) metrics.images.inc({ model: generation.report.model }, record.images);
      if (record.forwarded) metrics.forwarded.inc({ status: statusClass(record.forwarded.status) });
      logger[levelOf(record, end)](requestLine(record, end), 'request');
    },
    jobRecovered: (how) => metrics.recovered.inc({ how }),
    retryArrived: (end) => metrics.retries.inc({ end }),
    generationEnded(generation) {
      const { model, queueMs, adaptations } = generation.report;
      metrics.queue.observe({ model }, queueMs / 1000);
      for (const adaptation of adaptations) metrics.adaptations.inc({ model, adaptation });
      logger[levelOfGeneration(generation)](generationLine(generation), 'generation');
    },
    attemptEnded(attempt) {
      const { provider, end, model, target, tokens, error } = attempt;
      const { cost, currency, mayBeMore, isEstimate } = attempt.bill;
      metrics.attempts.inc({ provider, outcome: end, model, target });
      metrics.upstream.observe({ model, target }, attempt.upstreamMs / 1000);
      for (const [kind, count] of Object.entries(tokens ?? {}))
        if (count > 0) metrics.tokens.inc({ model, target, kind: tokenKinds[kind as keyof Tokens] }, count);
      if (cost === undefined) metrics.costUnknown.inc({ model, target });
      else if (cost > 0n && currency !== undefined)
        metrics.addCost({ model, target, currency, estimated: String(isEstimate) }, cost);
      if (mayBeMore) metrics.costUncertain.inc({ model, target });
      // One step of a request is for debugging, but what the operator can mend is shown even where another target helped.
      const level = error && operatorHint(error) !== undefined ? 'warn' : 'debug';
      if (logger.isLevelEnabled(level)) logger[level](attemptLine(attempt), 'attempt');
    },
    unknownRepeated: (provider) => metrics.repeated.inc({ provider }),
    budgetUsed({ consumer, usage, isGranted, isBeyond, hasCrossed }) {
      if (!isGranted) metrics.budgetRefused.inc({ consumer });
      else if (isBeyond) metrics.budgetSoft.inc({ consumer });
      const crossing = `${usage.period.name} ${usage.budget.soft}`;
      // What is reserved is given back in part, so that the same limit may be crossed again.
      if (!hasCrossed || crossings.get(consumer) === crossing) return;
      crossings.set(consumer, crossing);
      const { budget, period, used } = usage;
      const amounts = { used: microsAsText(used), amount: microsAsText(budget.amount), currency: budget.currency };
      const facts = { consumer, ...amounts, per: budget.per, resetsAt: timeAsText(period.resetsAt) };
      logger.warn(facts, `budget: ${Math.floor(usedShare(usage) * 100)} % are used`);
    },
    imageConverted: (conversion) => metrics.addConversion(conversion),
    anomaly: (kind) => metrics.anomalies.inc({ kind }),
    reloadEnded(result) {
      metrics.reloads.inc({ result });
      if (result === 'applied') metrics.reloadedAt.setToCurrentTime();
    },
    watch: metrics.watch,
    watchJobs: metrics.watchJobs,
    watchUploads(uploads) {
      metrics.watchUploads(uploads);
      uploads.watch(({ pending, lastError }) => {
        if (lastError === undefined) logger.info({ pending }, 'images are uploaded to IMAGES_URL again');
        else
          logger.warn({ pending, cause: lastError }, 'images cannot be uploaded to IMAGES_URL, and wait in DATA_DIR');
      });
    },
    watchBudgets: metrics.watchBudgets,
    watchQuotas: metrics.watchQuotas,
    metrics: metrics.text,
  };
}
