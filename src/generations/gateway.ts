import type { ConsumerLimits } from '../domain/consumer-limits.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GatewayState, TargetState } from '../domain/gateway-state.ts';
import type { GenerationReader, KeyedAs } from '../domain/generation-reader.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ImageId, ImageStore } from '../domain/image-store.ts';
import type { Claimed, JobClaim, JobEnd, JobId } from '../domain/job-store.ts';
import type { Recorder } from '../domain/recorder.ts';
import type { Trace } from '../domain/trace.ts';
import { operationOf, type Plan, plan } from '../parameters/plan.ts';
import type { LogicalModel, ModelCatalog, Target } from '../targets/model-catalog.ts';
import type { GatewayTimes } from '../targets/times.ts';
import { type Admission, acquirePermits } from './admission.ts';
import type { Hosting } from './delivery.ts';
import { storedFailure } from './ends.ts';
import { Failover } from './failover.ts';
import { fingerprint } from './fingerprint.ts';
import { followJob } from './follow-job.ts';
import { Generation } from './generation.ts';
import type { InFlight } from './in-flight.ts';
import { shuttingDown } from './interruption.ts';
import { evictableAfterMs } from './keeping.ts';
import { persist } from './persist.ts';
import { StoredReader } from './stored-reader.ts';

/** Who asks, and what they want of the gateway itself. */
export type Caller = {
  /** Tells callers apart; never a key itself. */
  readonly id: string;
  /** The caller's own client says that this is a retry. */
  readonly isRetry: boolean;
  /** Its `Idempotency-Key`: equal requests with an equal key are one request. */
  readonly idempotencyKey?: string | undefined;
  /** Its quota of requests is used up: it may join a job or have a stored response, and start nothing. */
  readonly refusal?: GatewayError | undefined;
  /** For the log. */
  readonly requestId?: string;
  /** The trace that the request is a part of. */
  readonly trace?: Trace | undefined;
  /** Shorter than the model's deadline, if anything. */
  readonly timeoutMs?: number | undefined;
  /** Fewer than the model's retries, if anything. */
  readonly maxRetries?: number | undefined;
  /** The models that it may use; `undefined`: all. */
  readonly models?: ReadonlySet<string> | undefined;
  /** The length of its request's body. */
  readonly bodyBytes: number;
  /** The limits of its consumer, if it has some. */
  readonly usage?: ConsumerLimits | undefined;
};

/** The use case: logical models in front, targets behind. There is one for each configuration; what runs is common to all. */
export interface Gateway {
  readonly catalog: ModelCatalog;
  readonly admission: Admission;
  /** How many generations are running, whichever configuration they began with. */
  readonly inFlight: number;
  /** How many of them have lost their client. */
  readonly orphans: number;
  /** What is going on in this moment, for metrics. */
  readonly state: GatewayState;
  /**
   * Starts a request, joins an equal one that runs, or reads the response of an equal one that has ended. Rejects with a
   * GatewayError when it can be refused before anything is sent. From then on the generation owns the request's inputs.
   */
  start(model: string | undefined, request: ImageRequest, caller: Caller): Promise<GenerationReader>;
  /** Whether a request of this caller might rejoin what its client has left a moment ago, and so need no permits. */
  mayRejoin(callerId: string): boolean;
  /** Gives up what has no client, and can be followed by whoever starts next. */
  parkOrphans(): void;
  /** Resolves when nothing runs any more. */
  settled(): Promise<void>;
  /** Ends everything that is running, so that each caller still gets a response. */
  cancelAll(): void;
}

type Parts = {
  readonly catalog: ModelCatalog;
  readonly admission: Admission;
  readonly recorder: Recorder;
  /** Where clients get links, if images are hosted at the moment. */
  readonly hosting: { readonly place: Hosting | undefined };
  readonly images: ImageStore;
  readonly times: GatewayTimes;
  readonly inFlight: InFlight;
  readonly random?: () => number;
};

/** A client's retry may take what that client has left for so long; other equal requests for `lingerMs`. */
export const retryRejoinMs = 10 * 60_000;

export function createGateway(parts: Parts): Gateway {
  const { catalog, admission, recorder, hosting, images, times, inFlight, random = Math.random } = parts;
  const { store } = inFlight;

  /** Throws a GatewayError when its permits are not to be had; nothing is held then. */
  function begin(
    { lease, isRepeat }: Extract<Claimed, { kind: 'new' }>,
    { model, planned, place, request, caller, isKeyed }: Planned,
  ): Generation {
    if (inFlight.isClosed) throw shuttingDown();
    if (caller.refusal) throw caller.refusal;
    const permits = acquirePermits({
      admission,
      consumerUsage: caller.usage,
      consumer: caller.id,
      bodyBytes: caller.bodyBytes,
      images: request.count,
    });
    const delivery = request.stream ? 'b64_json' : planned.delivery;
    const isHosted = delivery === 'url' && place !== undefined;
    const maxRetries = Math.min(caller.maxRetries ?? model.maxRetries, model.maxRetries);
    const mayRepeatUnknown = model.onUnknownOutcome === 'retry' && !isRepeat;
    const { budget } = inFlight;
    const common = { request, model, maxRetries };
    return new Generation({
      ...common,
      lease,
      consumer: caller.id,
      isKeyed,
      isRepeat,
      keepReason: isKeyed ? 'kept' : isHosted ? 'hosted' : undefined,
      context: {
        asked: request,
        delivery,
        hosting: place,
        isModelsDeadline: (caller.timeoutMs ?? model.timeoutMs) >= model.timeoutMs,
        recorder,
        trace: caller.trace,
        requestId: caller.requestId,
        model: model.name,
      },
      createCalls: (context, deadline) =>
        new Failover({ ...common, planned, context, mayRepeatUnknown, deadline, budget, times, random }),
      timeoutMs: timeoutOf(model, caller),
      permits,
      admission,
      inFlight,
      images,
    });
  }

  async function beginClaimed(claimed: Extract<Claimed, { kind: 'new' }>, planned: Planned): Promise<GenerationReader> {
    const { caller, model, isKeyed } = planned;
    if (caller.isRetry && !isKeyed) recorder.retryArrived('possible_duplicate');
    try {
      return begin(claimed, planned).attach(readingOf(planned, 'first'));
    } catch (error) {
      const report = {
        ...nothingTried,
        model: model.name,
        maxRetries: model.maxRetries,
        timeoutMs: timeoutOf(model, caller),
      };
      const end: JobEnd = { name: 'not_processed', failure: storedFailure(error, report) };
      await persist(() => store.finish(claimed.lease, end));
      throw error;
    }
  }

  /** A job that somebody else runs, or that has ended. */
  function readStored(job: JobId, end: JobEnd | undefined, planned: Planned): GenerationReader {
    const { caller, model, isKeyed } = planned;
    const following = new AbortController();
    const reader = new StoredReader({
      ...readingOf(planned, end === undefined ? 'joined' : 'replayed'),
      job,
      model: model.name,
      images,
      end: end === undefined ? followJob(job, store, following.signal) : Promise.resolve(end),
      ...(end === undefined && { patienceMs: timeoutOf(model, caller) }),
      delivered: (ids: readonly ImageId[]) => {
        store.delivered(job);
        images.mayEvict(ids, inFlight.now() + evictableAfterMs);
      },
      left: () => {
        if (!isKeyed) store.putBack(job);
      },
    });
    reader.events.catch(() => following.abort());
    inFlight.follow(reader, reader.events);
    return reader;
  }

  function join(claimed: Exclude<Claimed, { kind: 'new' | 'mismatch' }>, planned: Planned): GenerationReader {
    const { request, caller, model, isKeyed } = planned;
    const isUnknown = claimed.kind === 'ended' && claimed.end.name === 'unknown';
    recorder.retryArrived(
      isKeyed ? (claimed.kind === 'ended' ? 'replayed' : 'joined') : isUnknown ? 'shared_unknown' : 'rejoined',
    );
    // What it works on is what its first client sent, and equal.
    void request.edit?.inputs.release();
    if (claimed.kind === 'ended') return readStored(claimed.job, claimed.end, planned);
    const generation = inFlight.find(claimed.job);
    // One that has ended may not be recorded yet, and has closed what nobody reads.
    if (generation === undefined || generation.isSettled)
      return readStored(claimed.job, generation?.journal.ended, planned);
    const reading = readingOf(planned, 'joined');
    return generation.attach({ ...reading, ...(isKeyed && { patienceMs: timeoutOf(model, caller) }) });
  }

  return {
    catalog,
    admission,
    get inFlight() {
      return inFlight.running;
    },
    get orphans() {
      return inFlight.orphans;
    },
    get state() {
      return {
        generations: inFlight.running,
        orphans: inFlight.orphans,
        waiting: admission.waiting,
        heldBytes: admission.heldBytes,
        // Every gauge reads the state, and only some need what all images have to be looked at for.
        get images() {
          return images.usage;
        },
        targets: catalog.models.flatMap(({ name, targets }) => targets.map((target) => targetState(name, target))),
      };
    },
    async start(name, request, caller) {
      if (inFlight.isClosed) throw shuttingDown();
      const model = catalog.find(name, caller.models);
      const { place } = hosting;
      const planned = {
        model,
        planned: plan(request, model, { canHost: place !== undefined }),
        place,
        request,
        caller,
        isKeyed: caller.idempotencyKey !== undefined,
      };
      const mayRejoin = inFlight.mayRejoin(caller.id);
      const claimed = await store.claim(claimOf(planned, mayRejoin ? inFlight.lingerMs : 0));
      if (claimed.kind === 'mismatch') throw keyReused();
      return claimed.kind === 'new' ? beginClaimed(claimed, planned) : join(claimed, planned);
    },
    mayRejoin: (callerId) => inFlight.mayRejoin(callerId),
    parkOrphans: () => inFlight.parkOrphans(),
    settled: () => inFlight.settled(),
    cancelAll: () => inFlight.cancelAll(),
  };
}

const nothingTried = { target: undefined, provider: undefined, asked: {}, adaptations: [], attempts: 0, sent: false };

function targetState(model: string, { name, health }: Target): TargetState {
  return {
    model,
    target: name,
    calls: health.permits.taken,
    waiting: health.permits.waiting,
    breaker: health.breakerState,
    isCoolingDown: health.coolDownAt(performance.now()) !== undefined,
  };
}

type Planned = {
  readonly model: LogicalModel;
  readonly planned: Plan<Target>;
  readonly place: Hosting | undefined;
  readonly request: ImageRequest;
  readonly caller: Caller;
  /** It has an `Idempotency-Key`. */
  readonly isKeyed: boolean;
};

function timeoutOf(model: LogicalModel, { timeoutMs }: Caller): number {
  return Math.min(timeoutMs ?? model.timeoutMs, model.timeoutMs);
}

function readingOf({ request, planned, place, isKeyed }: Planned, keyedAs: KeyedAs) {
  return { request, delivery: planned.delivery, hosting: place, keyedAs: isKeyed ? keyedAs : undefined };
}

/** @param lingerMs how long ago the client of an equal request may have left, where this one does not say that it is a retry */
function claimOf({ model, request, caller }: Planned, lingerMs: number): JobClaim {
  return {
    consumer: caller.id,
    operation: operationOf(request),
    model: model.name,
    count: request.count,
    fingerprint: fingerprint(model.name, request),
    key: caller.idempotencyKey,
    rejoinMs: caller.isRetry ? retryRejoinMs : lingerMs,
    mayRepeat: model.onUnknownOutcome === 'retry',
  };
}

function keyReused(): GatewayError {
  const message = 'This Idempotency-Key was used for a different request. Use a new key for each request.';
  return new GatewayError('idempotency_key_reused', message, { param: 'Idempotency-Key' });
}
