import type { ConsumerLimits } from '../domain/consumer-limits.ts';
import type { GatewayState, TargetState } from '../domain/gateway-state.ts';
import type { GenerationReader } from '../domain/generation-reader.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { JobClaim, JobId } from '../domain/job-store.ts';
import type { Recorder } from '../domain/recorder.ts';
import type { Trace } from '../domain/trace.ts';
import { type Plan, plan } from '../parameters/plan.ts';
import type { LogicalModel, ModelCatalog, Target } from '../targets/model-catalog.ts';
import type { GatewayTimes } from '../targets/times.ts';
import { type Admission, acquirePermits } from './admission.ts';
import type { Hosting } from './delivery.ts';
import { fingerprint } from './fingerprint.ts';
import { Generation } from './generation.ts';
import { InFlight } from './in-flight.ts';
import { shuttingDown } from './interruption.ts';

/** Who asks, and what they want of the gateway itself. */
export type Caller = {
  /** Tells callers apart; never a key itself. */
  readonly id: string;
  /** The caller's own client says that this is a retry. */
  readonly isRetry: boolean;
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
   * Starts a request, or rejoins the generation that the same caller's client has left a moment ago. Rejects with a
   * GatewayError when it can be refused before anything is sent. From then on the generation owns the request's inputs.
   */
  start(model: string | undefined, request: ImageRequest, caller: Caller): Promise<GenerationReader>;
  /** Whether a request of this caller might rejoin what its client has left a moment ago, and so need no permits. */
  mayRejoin(callerId: string): boolean;
  /** Ends everything that is running, so that each caller still gets a response. */
  cancelAll(): void;
}

type Parts = {
  readonly catalog: ModelCatalog;
  readonly admission: Admission;
  readonly recorder: Recorder;
  /** Where images can be hosted at the moment, if they can. */
  readonly hosting: { readonly place: Hosting | undefined };
  readonly times: GatewayTimes;
  /** What the process has in flight; by default nothing. */
  readonly inFlight?: InFlight;
  readonly random?: () => number;
};

export function createGateway(parts: Parts): Gateway {
  const { catalog, admission, recorder, hosting, times, random = Math.random } = parts;
  const { inFlight = new InFlight(times.lingerMs) } = parts;
  const { store } = inFlight;

  /** Throws a GatewayError when its permits are not to be had; nothing is held then. */
  function begin(id: JobId, { model, planned, place }: Planned, request: ImageRequest, caller: Caller): Generation {
    if (inFlight.isClosed) throw shuttingDown();
    const permits = acquirePermits({
      admission,
      consumerUsage: caller.usage,
      consumer: caller.id,
      bodyBytes: caller.bodyBytes,
      images: request.count,
    });
    return new Generation({
      id,
      request,
      model,
      planned,
      context: {
        asked: request,
        delivery: request.stream ? 'b64_json' : planned.delivery,
        hosting: place,
        isModelsDeadline: (caller.timeoutMs ?? model.timeoutMs) >= model.timeoutMs,
        recorder,
        trace: caller.trace,
        requestId: caller.requestId,
        model: model.name,
      },
      maxRetries: Math.min(caller.maxRetries ?? model.maxRetries, model.maxRetries),
      timeoutMs: Math.min(caller.timeoutMs ?? model.timeoutMs, model.timeoutMs),
      permits,
      admission,
      inFlight,
      times,
      random,
    });
  }

  return {
    catalog,
    admission,
    get inFlight() {
      return inFlight.running;
    },
    get orphans() {
      return store.orphans;
    },
    get state() {
      return {
        generations: inFlight.running,
        orphans: store.orphans,
        waiting: admission.waiting,
        heldBytes: admission.heldBytes,
        targets: catalog.models.flatMap(({ name, targets }) => targets.map((target) => targetState(name, target))),
      };
    },
    async start(name, request, caller) {
      if (inFlight.isClosed) throw shuttingDown();
      const model = catalog.find(name, caller.models);
      const { place } = hosting;
      const planned = plan(request, model, { canHost: place !== undefined });
      const claimed = await store.claim(claimOf(model, request, caller));
      if (claimed.kind === 'unknown') {
        recorder.retryArrived('shared_unknown');
        throw claimed.error;
      }
      const joined = claimed.kind === 'joined' ? inFlight.find(claimed.job) : undefined;
      if (joined !== undefined) {
        recorder.retryArrived('rejoined');
        // What it works on is what its first client sent, and equal.
        void request.edit?.inputs.release();
        return joined.attach();
      }
      if (caller.isRetry) recorder.retryArrived('possible_duplicate');
      try {
        return begin(claimed.job, { model, planned, place }, request, caller).attach();
      } catch (error) {
        await store.finish(claimed.job, { name: 'not_processed', error });
        throw error;
      }
    },
    mayRejoin: (callerId) => store.mayJoin(callerId),
    cancelAll: () => inFlight.cancelAll(),
  };
}

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
};

/** Its fingerprint is computed when it is asked for: for most requests nobody does. */
function claimOf({ name }: LogicalModel, request: ImageRequest, { id }: Caller): JobClaim {
  return {
    consumer: id,
    get fingerprint() {
      return fingerprint(name, request);
    },
  };
}
