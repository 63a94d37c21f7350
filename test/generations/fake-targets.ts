import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ErrorKind, GatewayError, type Outcome } from '../../src/domain/gateway-error.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { ProviderCall } from '../../src/domain/image-provider.ts';
import { type ImageRequest, operations } from '../../src/domain/image-request.ts';
import type { JobStore } from '../../src/domain/job-store.ts';
import type { KeptInputs } from '../../src/domain/kept-inputs.ts';
import type { QuotaPool } from '../../src/domain/quota-pools.ts';
import type { GenerationRecord, Recorder } from '../../src/domain/recorder.ts';
import type { Accounts } from '../../src/generations/accounts.ts';
import { Admission } from '../../src/generations/admission.ts';
import { BackgroundJobs } from '../../src/generations/background-jobs.ts';
import type { Caller } from '../../src/generations/caller.ts';
import type { Converting } from '../../src/generations/converted-events.ts';
import type { Hosting } from '../../src/generations/delivery.ts';
import { fingerprintVersion } from '../../src/generations/fingerprint.ts';
import { createGateway, type Gateway } from '../../src/generations/gateway.ts';
import { InFlight } from '../../src/generations/in-flight.ts';
import { Jobs } from '../../src/generations/jobs.ts';
import { Recovery } from '../../src/generations/recovery.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';
import { createKeptInputs } from '../../src/storage/kept-input-directory.ts';
import type { SqlJobStore } from '../../src/storage/sql/sql-job-store.ts';
import { createSqliteJobStore } from '../../src/storage/sqlite/sqlite-job-store.ts';
import { createModelCatalog, type LogicalModel, type Target } from '../../src/targets/model-catalog.ts';
import { TargetHealth } from '../../src/targets/target-health.ts';
import { defaultTimes, type GatewayTimes } from '../../src/targets/times.ts';
import { asStream } from '../helpers/json-text.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { fakeAccounts } from './fake-accounts.ts';

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

/** One image for each that was asked for, as base64. */
export const drawn: Answer = async (_call, { count }) => asStream(eventsOf(count));

/** What `drawn` makes: each image is the text `a cat 0`, `a cat 1`, … */
export function eventsOf(count: number): ImageEvent[] {
  const images = Array.from({ length: count }, (_, index): ImageEvent[] => [
    { type: 'image', index, isPartial: false },
    { type: 'bytes', chunk: Buffer.from(Buffer.from(`a cat ${index}`).toString('base64')) },
    { type: 'image-end', index },
  ]);
  return [...images.flat(), { type: 'done', created: 1_700_000_000 }];
}

/** Accepts the work, and goes on when its handle is noted. */
export function accepting(handle: string, then: Answer): Answer {
  return async (call, request) => {
    await call.note(handle);
    return then(call, request);
  };
}

/** Goes on when the test says so, or ends with the signal's reason. */
export function held(then: Answer): { readonly answer: Answer; readonly complete: () => void } {
  const hold = Promise.withResolvers<void>();
  const answer: Answer = async (call, request) => {
    await Promise.race([hold.promise, silent(call, request)]);
    return then(call, request);
  };
  return { answer, complete: hold.resolve };
}

/** Never answers; like a real upstream call, it ends with the signal's reason. */
export const silent: Answer = ({ signal }) =>
  new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });

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
  /** What following a handle gives, likewise; without any, it cannot be followed. */
  readonly resumes?: readonly Answer[];
  readonly priority?: number;
  readonly maxCount?: number;
  readonly maxConcurrent?: number;
  readonly family?: string;
  /** The quota that its calls are counted against. */
  readonly quota?: QuotaPool;
};

export type FakeCall = { readonly target: string; readonly count: number; readonly at: number };

type Facts = {
  /** By default nothing is limited. */
  readonly accounts?: Accounts;
  readonly model?: Partial<LogicalModel>;
  readonly times?: Partial<GatewayTimes>;
  readonly inFlight?: number;
  readonly random?: () => number;
  readonly hosting?: Hosting;
  readonly converting?: Converting;
  readonly images?: MemoryImageStore;
  /** By default one in memory, that keeps jobs for `lingerMs`. */
  readonly store?: JobStore;
  /** The inputs of jobs that wait. */
  readonly keptInputs?: KeptInputs;
  /** The name of the first target. */
  readonly firstTarget?: string;
};

/** A store of jobs that goes with the test; in a directory, several processes may have one each. */
export async function openJobs(directory?: string, limits = durable): Promise<SqlJobStore> {
  const store = await createSqliteJobStore({ directory, fingerprintVersion, ...limits });
  onTestFinished(() => store.close());
  return store;
}

/** As in DATA_DIR. */
export const durable = { keepMs: 86_400_000, rejoinMs: 600_000, orphanMs: Number.POSITIVE_INFINITY };

export type FakeGateway = {
  readonly gateway: Gateway;
  readonly inFlight: InFlight;
  readonly store: JobStore;
  readonly images: MemoryImageStore;
  readonly targets: readonly Target[];
  /** Every paid call that was made, in order, and every handle that was followed. */
  readonly calls: readonly FakeCall[];
  readonly resumed: readonly string[];
  /** How the calls ended, and what callers' own retries got. */
  readonly ends: readonly string[];
  readonly retries: readonly string[];
  /** The generations that have ended, in order. */
  readonly records: readonly GenerationRecord[];
  /** What became of the jobs that were taken over. */
  readonly recovered: readonly string[];
  /** Takes over once what others have left. */
  recover(): Promise<void>;
  start(request?: Partial<ImageRequest>, caller?: Partial<Caller>): ReturnType<Gateway['start']>;
};

/** A gateway with one model, in front of targets that are called `a`, `b`, `c`. */
export async function fakeGateway(fakes: readonly FakeTarget[], facts: Facts = {}): Promise<FakeGateway> {
  const times = { ...quickTimes, ...facts.times };
  const calls: FakeCall[] = [];
  const resumed: string[] = [];
  const recovered: string[] = [];
  const ends: string[] = [];
  const retries: string[] = [];
  const records: GenerationRecord[] = [];
  const { lingerMs } = times;
  const memory = { keepMs: lingerMs, rejoinMs: lingerMs, orphanMs: lingerMs };
  const store = facts.store ?? (await openJobs(undefined, memory));
  const { images = new MemoryImageStore() } = facts;
  const inFlight = new InFlight(store, { lingerMs });
  onTestFinished(async () => {
    inFlight.cancelAll();
    if (inFlight.running === 0) await inFlight.recorded();
  });
  const names = [facts.firstTarget ?? 'a', 'b', 'c'];
  const targets = fakes.map((fake, index) =>
    fakeTarget(fake, { name: names[index] ?? '', index, times, calls, resumed }),
  );
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
  const recorder: Recorder = {
    anomaly: () => {},
    imageConverted: () => {},
    unknownRepeated: () => {},
    budgetUsed: () => {},
    generationEnded: (record) => records.push(record),
    retryArrived: (end) => retries.push(end),
    attemptEnded: ({ end }) => ends.push(end),
    jobRecovered: (how) => recovered.push(how),
  };
  const catalog = createModelCatalog({ models: [model], aliases: new Map(), defaultModel: model.name });
  const admission = new Admission({ inFlight: facts.inFlight ?? 100, heldBytes: 1e9, queueMs: times.queueMs });
  const hosting = { place: facts.hosting };
  const running = {
    ...withJobs({
      ...{ inFlight, images, admission, hosting },
      ...(facts.keptInputs && { keptInputs: facts.keptInputs }),
      ...(facts.accounts && { accounts: facts.accounts }),
    }),
    hosting,
    converting: facts.converting,
    admission,
    recorder,
  };
  const gateway = createGateway({ ...running, catalog, times, random: facts.random ?? (() => 0.5) });
  return {
    gateway,
    inFlight,
    store,
    images,
    targets,
    calls,
    resumed,
    recovered,
    ends,
    retries,
    records,
    async recover() {
      const recovery = new Recovery({ ...running, gateway: () => gateway });
      onTestFinished(() => recovery.stop());
      await recovery.start();
    },
    start: (request, caller) =>
      gateway.start(undefined, { ...plain, ...request }, { id: 'somebody', isRetry: false, bodyBytes: 0, ...caller }),
  };
}

type Running = {
  readonly inFlight: InFlight;
  readonly images: MemoryImageStore;
  readonly admission?: Admission;
  readonly hosting?: { readonly place: Hosting | undefined };
  readonly keptInputs?: KeptInputs;
  readonly accounts?: Accounts;
};

/** The same with jobs that wait, and jobs that are found again. */
export function withJobs({ inFlight, images, hosting = { place: undefined }, ...parts }: Running) {
  const { admission = new Admission({ inFlight: 1, heldBytes: 1e9, queueMs: 0 }) } = parts;
  const { keptInputs = createKeptInputs(join(tmpdir(), 'no-inputs')), accounts = fakeAccounts().accounts } = parts;
  const background = new BackgroundJobs(admission, inFlight);
  return {
    inFlight,
    images,
    background,
    jobs: new Jobs({ inFlight, background, images, hosting }),
    keptInputs,
    accounts,
  };
}

type Placed = { name: string; index: number; times: GatewayTimes; calls: FakeCall[]; resumed: string[] };

const plain = { prompt: 'a cat', count: 1, stream: false, partialImages: 0, extra: {} } as unknown as ImageRequest;

function fakeTarget(
  { answers, resumes = [], ...fake }: FakeTarget,
  { name, index, times, calls, resumed }: Placed,
): Target {
  const { priority, maxCount = 10, maxConcurrent = Number.POSITIVE_INFINITY, family = 'gpt-image-1', quota } = fake;
  let next = 0;
  let nextResume = 0;
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
      async generate(request, call) {
        await call.dispatch();
        call.signal.throwIfAborted();
        calls.push({ target: name, count: request.count, at: performance.now() });
        call.attempt.sent = true;
        const answer = answers[Math.min(next, answers.length - 1)] as Answer;
        next += 1;
        return answer(call, request);
      },
      ...(resumes.length > 0 && {
        async resume(handle: string, call: ProviderCall) {
          resumed.push(`${name} ${handle}`);
          call.attempt.sent = true;
          const answer = resumes[Math.min(nextResume, resumes.length - 1)] as Answer;
          nextResume += 1;
          return answer(call, plain);
        },
      }),
    },
    calls: [],
    health: new TargetHealth(maxConcurrent, times),
    quota,
    download: () => Promise.reject(new Error('nothing is downloaded here')),
  };
}
