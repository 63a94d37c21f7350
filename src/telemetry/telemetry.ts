import type { Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Recorder } from '../domain/recorder.ts';
import type { RequestRecorder } from '../domain/request-record.ts';
import { type ReloadRecorder, reloadMetrics } from './reload-metrics.ts';
import { levelOf, wideRecord } from './wide-record.ts';

export type Telemetry = Recorder & RequestRecorder & ReloadRecorder & { metrics(): Promise<string> };

/** Picture calls last from seconds to the longest deadline there is. */
const durationBuckets = [0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 655];

/** Counters and log lines. Labels come from closed sets: routes, logical models, providers and our own words. */
export function createTelemetry(logger: Logger): Telemetry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'gateway_requests_total',
    help: 'Requests by route, status and end: answered, torn after the first byte, or left by the caller (499)',
    labelNames: ['route', 'status', 'end'],
    registers,
  });
  const duration = new Histogram({
    name: 'gateway_request_duration_seconds',
    help: 'From the arrival of a request to the end of its answer',
    labelNames: ['route'],
    buckets: durationBuckets,
    registers,
  });
  const inFlight = new Gauge({ name: 'gateway_requests_in_flight', help: 'Requests being worked on', registers });
  const images = new Counter({
    name: 'gateway_images_total',
    help: 'Pictures written completely',
    labelNames: ['model'],
    registers,
  });
  const attempts = new Counter({
    name: 'gateway_upstream_attempts_total',
    help: 'Paid calls, by how they ended; unknown, torn and abandoned ones may have been billed',
    labelNames: ['provider', 'outcome'],
    registers,
  });
  const anomalies = new Counter({
    name: 'gateway_upstream_anomalies_total',
    help: 'Oddities of upstreams that cost nobody a picture',
    labelNames: ['kind'],
    registers,
  });

  const repeated = new Counter({
    name: 'gateway_unknown_outcomes_repeated_total',
    help: 'Calls that were made again although they may have been billed (onUnknownOutcome)',
    labelNames: ['provider'],
    registers,
  });
  const retries = new Counter({
    name: 'gateway_retries_arrived_total',
    help: 'Requests that repeat an earlier one, by what they got; possible_duplicate may have bought a picture twice',
    labelNames: ['end'],
    registers,
  });

  return {
    requestStarted: () => inFlight.inc(),
    requestEnded(record, end) {
      inFlight.dec();
      requests.inc({ route: record.route, status: end.status, end: end.how });
      duration.observe({ route: record.route }, (performance.now() - record.startedAt) / 1000);
      if (record.generation && record.images > 0) images.inc({ model: record.generation.model }, record.images);
      logger[levelOf(record, end)](wideRecord(record, end), 'request');
    },
    attemptEnded: (provider, outcome) => attempts.inc({ provider, outcome }),
    unknownRepeated: (provider) => repeated.inc({ provider }),
    retryArrived: (end) => retries.inc({ end }),
    anomaly: (kind) => anomalies.inc({ kind }),
    ...reloadMetrics(registers),
    metrics: () => registry.metrics(),
  };
}
