import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Bill, Tokens } from '../domain/bill.ts';
import type { GenerationReport } from '../domain/generation-reader.ts';
import type { Anomaly, AttemptRecord, Recorder } from '../domain/recorder.ts';
import type { RequestEnd, RequestRecord } from '../domain/request-record.ts';
import { CostCounter } from './cost-counter.ts';
import { reloadMetrics } from './reload-metrics.ts';
import { stateGauges } from './state-gauges.ts';

/** Image calls last from seconds to the longest deadline there is. */
const durationBuckets = [0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 655];
const queueBuckets = [0.01, 0.1, 0.5, 1, 2.5, 5, 10, 15, 30, 60];

/** The names of tokens' kinds; `cached_in` are among the first two. */
const tokenKinds = {
  textIn: 'text_in',
  imageIn: 'image_in',
  cachedIn: 'cached_in',
  textOut: 'text_out',
  imageOut: 'image_out',
} as const satisfies Record<keyof Tokens, string>;

/**
 * Everything that is counted. Labels come from closed sets: routes, logical models, targets, providers and our own words;
 * nothing that a caller can choose is among them.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const histogram = <T extends string>(name: string, help: string, labelNames: readonly T[], buckets: number[]) =>
    new Histogram({ name, help, labelNames: [...labelNames], buckets, registers });

  const requests = counter(
    'gateway_requests_total',
    'Requests by route, status and end: answered, truncated after the first byte, or left by the caller (499)',
    ['route', 'status', 'end'],
  );
  const duration = histogram(
    'gateway_request_duration_seconds',
    'From the arrival of a request to the end of its answer',
    ['route'],
    durationBuckets,
  );
  const inFlight = new Gauge({ name: 'gateway_requests_in_flight', help: 'Requests being worked on', registers });
  const bytes = counter(
    'gateway_bytes_total',
    'Bytes of requests, heads included (in), and of the bodies of answers with images (out)',
    ['direction'],
  );
  const queue = histogram(
    'gateway_queue_duration_seconds',
    'How long requests for images waited for their turn, and for free slots at targets',
    ['model'],
    queueBuckets,
  );
  const images = counter('gateway_images_total', 'Images written completely', ['model']);
  const adaptations = counter(
    'gateway_adaptations_total',
    'Requests for which the gateway did something itself, by what it did',
    ['model', 'adaptation'],
  );
  const attempts = counter(
    'gateway_upstream_attempts_total',
    'Paid calls, by how they ended; unknown, truncated and abandoned ones may have been billed',
    ['provider', 'outcome', 'model', 'target'],
  );
  const upstream = histogram(
    'gateway_upstream_duration_seconds',
    'From the start of a paid call until its outcome was known',
    ['model', 'target'],
    durationBuckets,
  );
  const tokens = counter(
    'gateway_tokens_total',
    'Tokens as upstreams count them; cached_in are among text_in and image_in',
    ['model', 'target', 'kind'],
  );
  const costs = new CostCounter(registry);
  const costUnknown = counter(
    'gateway_cost_unknown_total',
    'Paid calls that made images whose cost is not known: a price is missing, or what it is for',
    ['model', 'target'],
  );
  const costUncertain = counter(
    'gateway_cost_uncertain_total',
    'Paid calls that may have been billed without being in gateway_cost_total: broken off, given up, or lost',
    ['model', 'target'],
  );
  const anomalies = counter('gateway_upstream_anomalies_total', 'Oddities of upstreams that cost nobody an image', [
    'kind',
  ]);
  const repeated = counter(
    'gateway_unknown_outcomes_repeated_total',
    'Calls that were made again although they may have been billed (onUnknownOutcome)',
    ['provider'],
  );
  const retries = counter(
    'gateway_retries_arrived_total',
    'Requests that repeat an earlier one, by what they got; possible_duplicate may have bought an image twice',
    ['end'],
  );

  function countGeneration({ model, queueMs, adaptations: adapted }: GenerationReport, written: number): void {
    if (written > 0) images.inc({ model }, written);
    queue.observe({ model }, queueMs / 1000);
    for (const adaptation of adapted) adaptations.inc({ model, adaptation });
  }

  function countBill({ model, target }: AttemptRecord, { cost, currency, mayBeMore }: Bill): void {
    if (cost === undefined) costUnknown.inc({ model, target });
    else if (cost > 0n && currency !== undefined) costs.add({ model, target, currency }, cost);
    if (mayBeMore) costUncertain.inc({ model, target });
  }

  return {
    requestStarted: () => inFlight.inc(),
    requestEnded({ route, startedAt, generation, ...record }: RequestRecord, { how, status }: RequestEnd) {
      inFlight.dec();
      requests.inc({ route, status, end: how });
      duration.observe({ route }, (performance.now() - startedAt) / 1000);
      bytes.inc({ direction: 'in' }, record.bytesIn);
      bytes.inc({ direction: 'out' }, record.bytesOut);
      if (generation) countGeneration(generation.report, record.images);
    },
    attemptEnded(attempt: AttemptRecord) {
      const { provider, end, model, target, upstreamMs, bill } = attempt;
      attempts.inc({ provider, outcome: end, model, target });
      upstream.observe({ model, target }, upstreamMs / 1000);
      for (const [kind, count] of Object.entries(attempt.tokens ?? {}))
        if (count > 0) tokens.inc({ model, target, kind: tokenKinds[kind as keyof Tokens] }, count);
      countBill(attempt, bill);
    },
    unknownRepeated: (provider: string) => repeated.inc({ provider }),
    retryArrived: (end: Parameters<Recorder['retryArrived']>[0]) => retries.inc({ end }),
    anomaly: (kind: Anomaly) => anomalies.inc({ kind }),
    ...reloadMetrics(registers),
    /** The gauges of what goes on are read when somebody asks for the metrics. */
    watch: stateGauges(registry),
    text: () => registry.metrics(),
  };
}
