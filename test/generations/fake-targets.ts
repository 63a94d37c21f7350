import { type ErrorKind, GatewayError, type Outcome } from '../../src/domain/gateway-error.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { ProviderCall } from '../../src/domain/image-provider.ts';
import { type ImageRequest, operations } from '../../src/domain/image-request.ts';
import type { GenerationRecord } from '../../src/domain/recorder.ts';
import { Admission } from '../../src/generations/admission.ts';
import { type Caller, createGateway, type Gateway } from '../../src/generations/gateway.ts';
import { InFlight } from '../../src/generations/in-flight.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';
import { createModelCatalog, type LogicalModel, type Target } from '../../src/targets/model-catalog.ts';
import { TargetHealth } from '../../src/targets/target-health.ts';
import { defaultTimes, type GatewayTimes } from '../../src/targets/times.ts';
import { asStream } from '../helpers/json-text.ts';

/** Tests have no time, but all that a wait needs of a deadline. */
export const quickTimes: GatewayTimes = {
  ...defaultTimes,
  lingerMs: 50,
  backoffMs: 2,
  maxBackoffMs: 4,
  minLeftMs: 0,
  breakerOpenMs: 100,
};

export type Answer = (call: ProviderCall, request: ImageRequest) => Promise<AsyncIterable<ImageEvent>>;

/** As many images as were asked for. */
export const good: Answer = async (_call, { count }) =>
  asStream<ImageEvent>([
    ...Array.from({ length: count }, (_, index): ImageEvent => ({ type: 'url', index, url: 'https://blob.example/1' })),
    { type: 'done' },
  ]);

/** Never answers; like a real upstream call, it ends with the signal's reason. */
export const silent: Answer = ({ signal }) =>
  new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

export function failing(kind: ErrorKind, outcome: Outcome, retryAfterMs?: number): Answer {
  const facts = { outcome, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return () => Promise.reject(new GatewayError(kind, `${kind}.`, facts));
}

export const unreachable: Answer = (call) => {
  call.attempt.sent = false;
  return failing('upstream_unavailable', 'not-processed')(call, {} as ImageRequest);
};
export const failed = failing('upstream_generation_failed', 'failed');
export const limited = (ms?: number) => failing('upstream_rate_limited', 'not-processed', ms);
export const unauthorized: Answer = () =>
  Promise.reject(new GatewayError('upstream_auth_failed', 'no.', { outcome: 'not-processed', isTargetWide: true }));
export const odd = failing('upstream_transient', 'not-processed');
export const tokenRefused = failing('upstream_token_refused', 'not-processed');
export const wordsOnly = failing('upstream_no_image', 'failed');
export const refused = failing('content_policy_violation', 'refused');
export const unknown = failing('upstream_outcome_unknown', 'unknown');

export type FakeTarget = {
  /** One for each call, in order; the last one for all further calls. */
  readonly answers: readonly Answer[];
  readonly priority?: number;
  readonly maxCount?: number;
  readonly maxConcurrent?: number;
  readonly family?: string;
};

export type FakeCall = { readonly target: string; readonly count: number; readonly at: number };

type Facts = {
  readonly model?: Partial<LogicalModel>;
  readonly times?: Partial<GatewayTimes>;
  readonly inFlight?: number;
  readonly random?: () => number;
};

export type FakeGateway = {
  readonly gateway: Gateway;
  readonly inFlight: InFlight;
  readonly targets: readonly Target[];
  /** Every call that was made, in order. */
  readonly calls: readonly FakeCall[];
  /** How the calls ended, and what callers' own retries got. */
  readonly ends: readonly string[];
  readonly retries: readonly string[];
  /** The generations that have ended, in order. */
  readonly records: readonly GenerationRecord[];
  start(request?: Partial<ImageRequest>, caller?: Partial<Caller>): ReturnType<Gateway['start']>;
};

/** A gateway with one model, in front of targets that are called `a`, `b`, `c`. */
export function fakeGateway(fakes: readonly FakeTarget[], facts: Facts = {}): FakeGateway {
  const times = { ...quickTimes, ...facts.times };
  const calls: FakeCall[] = [];
  const ends: string[] = [];
  const retries: string[] = [];
  const records: GenerationRecord[] = [];
  const inFlight = new InFlight(times.lingerMs);
  const targets = fakes.map((fake, index) => fakeTarget(fake, { name: 'abc'.charAt(index), index, times, calls }));
  const model: LogicalModel = {
    name: 'image',
    timeoutMs: 10_000,
    defaults: {},
    parameters: 'adapt',
    partialSuccess: undefined,
    maxRetries: 2,
    onUnknownOutcome: 'stop',
    targets,
    ...facts.model,
  };
  const gateway = createGateway({
    catalog: createModelCatalog({ models: [model], aliases: new Map(), defaultModel: 'image' }),
    admission: new Admission({ inFlight: facts.inFlight ?? 100, heldBytes: 1e9, queueMs: times.queueMs }),
    recorder: {
      anomaly: () => {},
      unknownRepeated: () => {},
      generationEnded: (record) => records.push(record),
      retryArrived: (end) => retries.push(end),
      attemptEnded: ({ end }) => ends.push(end),
    },
    hosting: { place: undefined },
    times,
    inFlight,
    random: facts.random ?? (() => 0.5),
  });
  return {
    gateway,
    inFlight,
    targets,
    calls,
    ends,
    retries,
    records,
    start: (request, caller) =>
      gateway.start(undefined, { ...plain, ...request }, { id: 'somebody', isRetry: false, bodyBytes: 0, ...caller }),
  };
}

const plain = { prompt: 'a cat', count: 1, stream: false, partialImages: 0, extra: {} } as unknown as ImageRequest;

function fakeTarget(
  { answers, priority, maxCount = 10, maxConcurrent = Number.POSITIVE_INFINITY, family = 'gpt-image-1' }: FakeTarget,
  { name, index, times, calls }: { name: string; index: number; times: GatewayTimes; calls: FakeCall[] },
): Target {
  let next = 0;
  const known = modelFamily(family);
  // Whoever asks for nothing gets the links of `good` as they are.
  const { delivery: _, ...defaults } = known.defaults;
  return {
    name,
    priority: priority ?? index,
    weight: 1,
    family: { ...known, defaults, maxCount, maxStreamedCount: 1 },
    upstreamStream: 'never',
    provider: {
      id: 'azure-deployment',
      operations,
      generate(request, call) {
        calls.push({ target: name, count: request.count, at: performance.now() });
        call.attempt.sent = true;
        const answer = answers[Math.min(next, answers.length - 1)] as Answer;
        next += 1;
        return answer(call, request);
      },
    },
    calls: [],
    health: new TargetHealth(maxConcurrent, times),
    download: () => Promise.reject(new Error('nothing is downloaded here')),
  };
}
