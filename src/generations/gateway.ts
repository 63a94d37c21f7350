import type { ConsumerLimits } from '../domain/consumer-limits.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader } from '../domain/generation.ts';
import { type Delivery, type ImageRequest, operationOf, type RequestDefaults } from '../domain/image-request.ts';
import type { Recorder } from '../domain/recorder.ts';
import type { Trace } from '../domain/trace.ts';
import { type FittedRequest, fitRequest } from '../parameters/fit-request.ts';
import { targetsFor } from '../targets/choose-target.ts';
import type { LogicalModel, ModelCatalog, Target } from '../targets/model-catalog.ts';
import type { GatewayTimes } from '../targets/times.ts';
import type { Admission } from './admission.ts';
import type { Hosting } from './deliver-url.ts';
import { fingerprint } from './fingerprint.ts';
import { startGeneration } from './generation.ts';
import type { Claim } from './generation-registry.ts';
import { shuttingDown } from './interruption.ts';
import { acquirePermits } from './permits.ts';
import { RunningWork } from './running-work.ts';

/** Who asks, and what they want of the gateway itself. */
export type Caller = {
  /** Tells callers apart; never a key itself. */
  readonly id: string;
  /** The caller's own client says that it asks again. */
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
  /** How many of them have lost their caller. */
  readonly orphans: number;
  /**
   * Starts a request, or takes over what the same caller has left a moment ago; rejects with a GatewayError when it
   * can be refused before anything is sent. From then on the generation owns the request's inputs.
   */
  start(model: string | undefined, request: ImageRequest, caller: Caller): Promise<GenerationReader>;
  /** Whether a request of this caller might take over what it has left a moment ago, and so need no permits. */
  mayRejoin(callerId: string): boolean;
  /** Ends everything that is running, so that each caller still gets an answer. */
  cancelAll(): void;
}

type Parts = {
  readonly catalog: ModelCatalog;
  readonly admission: Admission;
  readonly recorder: Recorder;
  /** Where images can be hosted at the moment, if they can. */
  readonly hosting: () => Hosting | undefined;
  readonly times: GatewayTimes;
  /** What the process has under way; by default nothing. */
  readonly running?: RunningWork;
  readonly random?: () => number;
};

export function createGateway(parts: Parts): Gateway {
  const { catalog, admission, recorder, hosting, times, random = Math.random } = parts;
  const { running = new RunningWork(times.lingerMs) } = parts;
  const { generations, registry, budget } = running;

  function begin(model: LogicalModel, request: ImageRequest, caller: Caller, claim: Claim): GenerationReader {
    const place = hosting();
    const defaults = possibleDefaults(model, place);
    const fits = fittingTargets(model, request, defaults, place);
    const permits = acquirePermits({
      admission,
      consumerUsage: caller.usage,
      consumer: caller.id,
      bodyBytes: caller.bodyBytes,
      images: request.count,
    });
    const generation = startGeneration({
      model,
      request,
      fits,
      requestId: caller.requestId,
      policy: model.parameters,
      defaults,
      deliversPart: model.partialSuccess === 'deliver',
      maxRetries: Math.min(caller.maxRetries ?? model.maxRetries, model.maxRetries),
      retriesUnknown: model.onUnknownOutcome === 'retry',
      timeoutMs: Math.min(caller.timeoutMs ?? model.timeoutMs, model.timeoutMs),
      delivering: {
        delivery: request.stream ? 'b64_json' : deliveryOf(fits),
        wantsPreviews: request.stream && request.partialImages > 0,
        hosting: place,
        recorder,
        trace: caller.trace,
        asked: request,
      },
      imageQuota: permits.imageQuota,
      async turn(signal) {
        await permits.granted;
        return admission.turn(signal);
      },
      isModelsDeadline: (caller.timeoutMs ?? model.timeoutMs) >= model.timeoutMs,
      budget,
      times,
      random,
      onOrphaned: (orphan, giveUp) => registry.add(claim, orphan, giveUp),
      onSettled(settled, failure, mayBeBilled) {
        generations.delete(settled);
        permits.release(settled.report.sent);
        if (failure instanceof GatewayError && isShared(failure, mayBeBilled)) registry.share(claim, failure);
      },
    });
    generations.add(generation);
    return generation;
  }

  return {
    catalog,
    admission,
    get inFlight() {
      return generations.size;
    },
    get orphans() {
      return registry.orphans;
    },
    async start(name, request, caller) {
      if (running.isClosed) throw shuttingDown();
      const model = catalog.find(name, caller.models);
      const claim = claimOf(model, request, caller);
      const taken = registry.take(claim);
      if (taken === undefined) {
        if (caller.isRetry) recorder.retryArrived('possible_duplicate');
        return begin(model, request, caller, claim);
      }
      recorder.retryArrived('generation' in taken ? 'rejoined' : 'shared_unknown');
      if ('unknown' in taken) throw taken.unknown;
      // What it works on is what its first caller sent, and equal.
      void request.edit?.release();
      return taken.generation;
    },
    mayRejoin: (callerId) => registry.hasAnyFor(callerId),
    cancelAll: () => running.cancelAll(),
  };
}

/** Its fingerprint is computed when it is asked for: for most requests nobody does. */
function claimOf({ name }: LogicalModel, request: ImageRequest, { id }: Caller): Claim {
  return {
    caller: id,
    get fingerprint() {
      return fingerprint(name, request);
    },
  };
}

/**
 * The targets that can serve a request, and what it becomes at each. Where none can, throws what the first one has
 * against it.
 */
function fittingTargets(
  model: LogicalModel,
  request: ImageRequest,
  defaults: RequestDefaults,
  place: Hosting | undefined,
): ReadonlyMap<Target, FittedRequest> {
  const refusals: unknown[] = [];
  const fits = new Map<Target, FittedRequest>();
  const able = targetsFor(operationOf(request), model);
  for (const target of able.toSorted((one, other) => one.priority - other.priority)) {
    try {
      const fitted = fitRequest(request, { family: target.family, policy: model.parameters, defaults });
      if (fitted.adaptations.includes('delivery=url') && place === undefined) throw hostingUnavailable();
      fits.set(target, fitted);
    } catch (error) {
      refusals.push(error);
    }
  }
  if (fits.size === 0) throw refusals[0];
  return fits;
}

/** Without hosting, links are no default where a target gives none: nobody has asked for them. */
function possibleDefaults({ defaults, targets }: LogicalModel, place: Hosting | undefined): RequestDefaults {
  const { delivery, ...others } = defaults;
  const needsHosting = delivery === 'url' && targets.some(({ family }) => !family.responseFormats.includes('url'));
  return needsHosting && place === undefined ? others : defaults;
}

/** One for all targets, so that it does not depend on which of them answers. */
function deliveryOf(fits: ReadonlyMap<Target, FittedRequest>): Delivery | undefined {
  return [...fits.values()].find(({ delivery }) => delivery !== undefined)?.delivery;
}

/** Failures that callers' clients repeat by themselves, although an image of the request may have been made. */
function isShared({ kind, outcome }: GatewayError, mayBeBilled: boolean): boolean {
  return outcome === 'unknown' || (mayBeBilled && outcome !== 'refused' && kind !== 'client_gone');
}

function hostingUnavailable(): GatewayError {
  const message =
    "'response_format' cannot be 'url' here: this model answers with base64, and this gateway hosts no images. Its operator can set DATA_DIR and PUBLIC_BASE_URL.";
  return new GatewayError('unsupported_parameter', message, { param: 'response_format' });
}
