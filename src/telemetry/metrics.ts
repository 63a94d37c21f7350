import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Cost, costAsNumber } from '../domain/cost.ts';
import { breakerStates, type GatewayState, type TargetState } from '../domain/gateway-state.ts';
import { startOfDay } from '../domain/retirement.ts';
import { budgetMetrics } from './budget-metrics.ts';
import { conversionMetrics } from './conversion-metrics.ts';
import { jobMetrics, quotaMetrics } from './store-metrics.ts';
import { uploadMetrics } from './upload-metrics.ts';

/**
 * Everything that is counted. Labels come from closed sets: routes, logical models, targets, providers and our own words;
 * nothing that a client can choose is among them.
 */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    ...requestMetrics(registry),
    ...attemptMetrics(registry),
    ...reloadMetrics(registry),
    ...budgetMetrics(registry),
    ...conversionMetrics(registry),
    /** Says where the state of the gateway can be read; that happens when somebody asks for the metrics. */
    watch: stateGauges(registry),
    /** The same for what the job store counts. */
    watchJobs: jobMetrics(registry),
    watchUploads: uploadMetrics(registry),
    /** The same for quotas, which the store knows. */
    watchQuotas: quotaMetrics(registry),
    /** In Prometheus' text format. */
    text: () => registry.metrics(),
  };
}

/** Image calls last from seconds to the longest deadline there is. */
const durationBuckets = [0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 655];
const queueBuckets = [0.01, 0.1, 0.5, 1, 2.5, 5, 10, 15, 30, 60];

/** `none`: there was no response. */
const statusClasses = ['2xx', '3xx', '4xx', '5xx', 'none'] as const;

/** The class of a status of Azure, as a label. */
export function statusClass(status: number | undefined): (typeof statusClasses)[number] {
  const found = statusClasses.find((name) => name.startsWith(String(Math.floor((status ?? 0) / 100))));
  return found ?? 'none';
}

function requestMetrics(registry: Registry) {
  const { counter, histogram, gauge } = definitions(registry);
  const requests = counter(
    'gateway_requests_total',
    'Requests by route, status and end: completed, truncated after the first byte, or disconnected by the client (499)',
    ['route', 'status', 'end'],
  );
  const duration = histogram(
    'gateway_request_duration_seconds',
    'From the arrival of a request to the end of its response',
    ['route'],
    durationBuckets,
  );
  const inFlight = gauge('gateway_requests_in_flight', 'Requests in flight');
  const bytes = counter(
    'gateway_bytes_total',
    'Bytes of requests, heads included (in), and of the bodies of responses with images (out)',
    ['direction'],
  );
  const queue = histogram(
    'gateway_queue_duration_seconds',
    'How long requests for images waited for admission and for permits of targets',
    ['model'],
    queueBuckets,
  );
  const images = counter('gateway_images_total', 'Images written completely', ['model']);
  const adaptations = counter(
    'gateway_adaptations_total',
    'Requests for which the gateway did something itself, by what it did',
    ['model', 'adaptation'],
  );
  const retries = counter(
    'gateway_retries_arrived_total',
    'Requests that repeat an earlier one, by what they got; possible_duplicate may have bought an image twice',
    ['end'],
  );
  const forwarded = counter(
    'gateway_forwarded_requests_total',
    'Requests of the Responses API that were forwarded, by the class of the status that Azure responded with',
    ['status'],
  );
  for (const status of statusClasses) forwarded.inc({ status }, 0);
  return { requests, duration, inFlight, bytes, queue, images, adaptations, retries, forwarded };
}

function attemptMetrics(registry: Registry) {
  const { counter, histogram } = definitions(registry);
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
  const addCost = costCounter(registry);
  const costUnknown = counter(
    'gateway_cost_unknown_total',
    'Paid calls that made images whose cost is not known: a price is missing, or what it is for',
    ['model', 'target'],
  );
  const costUncertain = counter(
    'gateway_cost_uncertain_total',
    'Paid calls that may have been billed without being in gateway_cost_total: truncated, abandoned, or lost',
    ['model', 'target'],
  );
  const anomalies = counter('gateway_upstream_anomalies_total', 'Anomalies of upstreams that cost no image', ['kind']);
  const recovered = counter(
    'gateway_jobs_recovered_total',
    'Jobs of a process that has died or stopped, by what became of them',
    ['how'],
  );
  for (const how of ['not_processed', 'stored', 'resumed', 'unknown']) recovered.inc({ how }, 0);
  const repeated = counter(
    'gateway_unknown_outcomes_repeated_total',
    'Calls that were repeated although they may have been billed (onUnknownOutcome)',
    ['provider'],
  );
  return { attempts, upstream, tokens, addCost, costUnknown, costUncertain, anomalies, recovered, repeated };
}

type CostLabels = Readonly<Record<'model' | 'target' | 'currency' | 'estimated', string>>;

/** Sums exactly; the sum becomes a floating-point number only when it is read. */
function costCounter(registry: Registry): (labels: CostLabels, cost: Cost) => void {
  const sums = new Map<string, { readonly labels: CostLabels; cost: Cost }>();
  new Counter({
    name: 'gateway_cost_total',
    help: 'What paid calls have cost, as far as it is known, in the operator’s currency; estimated: by list prices',
    labelNames: ['model', 'target', 'currency', 'estimated'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, cost } of sums.values()) this.inc(labels, costAsNumber(cost));
    },
  });
  return (labels, cost) => {
    const key = JSON.stringify([labels.model, labels.target, labels.currency, labels.estimated]);
    const sum = sums.get(key) ?? { labels, cost: 0n };
    sum.cost += cost;
    sums.set(key, sum);
  };
}

function reloadMetrics(registry: Registry) {
  const { counter, gauge } = definitions(registry);
  const reloads = counter(
    'gateway_reloads_total',
    'Configurations that were read while the process ran, by result: applied, or refused',
    ['result'],
  );
  const reloadedAt = gauge(
    'gateway_reload_last_success_timestamp_seconds',
    'When the configuration that is in force was read, in seconds since 1970',
  );
  for (const result of ['applied', 'refused']) reloads.inc({ result }, 0);
  reloadedAt.setToCurrentTime();
  return { reloads, reloadedAt };
}

/** Gauges that are read when somebody asks for the metrics, from where the returned function says. */
function stateGauges(registry: Registry): (read: () => GatewayState) => void {
  const { gauge } = definitions(registry);
  let read: (() => GatewayState) | undefined;

  function ofGateway(name: string, help: string, value: (state: GatewayState) => number): void {
    gauge(name, help, [], (set) => set({}, read ? value(read()) : 0));
  }

  function ofTargets(name: string, help: string, value: (state: TargetState) => number): void {
    gauge(name, help, ['model', 'target'], (set) => {
      for (const state of read?.().targets ?? []) set({ model: state.model, target: state.target }, value(state));
    });
  }

  ofGateway('gateway_generations_in_flight', 'Generations in flight', (state) => state.generations);
  ofGateway(
    'gateway_orphans',
    'Generations whose client has disconnected, and that linger for its retry',
    (state) => state.orphans,
  );
  ofGateway('gateway_requests_waiting', 'Requests for images that wait for admission', (state) => state.waiting);
  ofGateway('gateway_held_bytes', 'Memory that is reserved for requests', (state) => state.heldBytes);
  ofGateway('gateway_store_bytes', 'Bytes of stored images', ({ images }) => images.bytes);
  ofGateway(
    'gateway_store_evictable_bytes',
    'Bytes of stored images that are evicted when there is no room for others',
    ({ images }) => images.evictableBytes,
  );
  ofGateway(
    'gateway_store_limit_bytes',
    'Max bytes of stored images (limits.storeBytes)',
    ({ images }) => images.maxBytes,
  );
  ofGateway(
    'gateway_store_fill_ratio',
    'Stored images that must not be evicted, as a share of the limit: at 1, requests with an Idempotency-Key are refused',
    ({ images }) => (images.bytes - images.evictableBytes) / images.maxBytes,
  );
  ofTargets('gateway_target_calls_in_flight', 'Calls that hold a permit of a target', (state) => state.calls);
  ofTargets('gateway_target_calls_waiting', 'Calls that wait for a permit of a target', (state) => state.waiting);
  ofTargets('gateway_target_cooling_down', '1 while a target has asked for a wait', (state) =>
    Number(state.coolDownMs !== undefined),
  );
  const retirementHelp =
    'When Azure retires the model of a target, in seconds since 1970; missing where that is not known';
  gauge('gateway_target_retirement_timestamp_seconds', retirementHelp, ['model', 'target'], (set) => {
    for (const { model, target, retirement } of read?.().targets ?? [])
      if (retirement) set({ model, target }, startOfDay(retirement.date) / 1000);
  });
  gauge('gateway_quota_waiting', 'Calls that wait for their turn in a quota', ['pool'], (set) => {
    for (const { pool, waiting } of read?.().quotas ?? []) set({ pool }, waiting);
  });
  const breakerHelp = '1 for the state that the circuit breaker of a target is in';
  gauge('gateway_target_breaker_state', breakerHelp, ['model', 'target', 'state'], (set) => {
    for (const { model, target, breaker } of read?.().targets ?? [])
      for (const state of breakerStates) set({ model, target, state }, Number(state === breaker));
  });
  return (where) => {
    read = where;
  };
}

/** Sets the value of one series. */
type Set = (labels: Readonly<Record<string, string>>, value: number) => void;

/** How metrics of a registry are defined. */
function definitions(registry: Registry) {
  const registers = [registry];
  return {
    counter: <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
      new Counter({ name, help, labelNames: [...labelNames], registers }),
    histogram: <T extends string>(name: string, help: string, labelNames: readonly T[], buckets: number[]) =>
      new Histogram({ name, help, labelNames: [...labelNames], buckets, registers }),
    /** @param collect sets all values anew; without it, they are set as they change */
    gauge: (name: string, help: string, labelNames: readonly string[] = [], collect?: (set: Set) => void) => {
      const whole = collect && {
        collect(this: Gauge) {
          // Targets may have gone since the last time.
          this.reset();
          collect((labels, value) => this.set(labels, value));
        },
      };
      return new Gauge({ name, help, labelNames: [...labelNames], registers, ...whole });
    },
  };
}
