import type { GatewayState, TargetState } from '../domain/gateway-state.ts';
import type { GenerationReader } from '../domain/generation-reader.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { TakenJob } from '../domain/job-store.ts';
import type { QuotaPool } from '../domain/quota-pools.ts';
import { hasEnded } from '../targets/lifetime.ts';
import type { ModelCatalog, Target } from '../targets/model-catalog.ts';
import type { Accounts } from './accounts.ts';
import type { Admission } from './admission.ts';
import type { Caller } from './caller.ts';
import { GenerationStarter, type StartedJob, type StarterParts } from './generation-starter.ts';
import type { Jobs } from './jobs.ts';

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
  /**
   * Starts a job that waits for its turn and runs without a client, also when the process is started again before anything was
   * sent. Rejects and owns the inputs as `start` does.
   */
  startJob(model: string | undefined, request: ImageRequest, caller: Caller): Promise<StartedJob>;
  /** Starts a job of another process of which nothing was sent. Throws a GatewayError when it cannot be run any more. */
  restartJob(job: TakenJob): void;
  readonly jobs: Jobs;
  readonly accounts: Accounts;
  /** Whether a request of this caller might rejoin what its client has left a moment ago, and so need no permits. */
  mayRejoin(callerId: string): boolean;
  /** Gives up what has no client, and can be followed by whoever starts next. */
  parkOrphans(): void;
  /** Resolves when nothing runs any more. */
  settled(): Promise<void>;
  /** Ends everything that is running, so that each caller still gets a response. */
  cancelAll(): void;
}

export function createGateway(parts: StarterParts): Gateway {
  const { catalog, admission, inFlight, images, background, jobs, accounts } = parts;
  const starter = new GenerationStarter(parts);

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
        quotas: poolsOf(catalog).map(({ name, waiting }) => ({ pool: name, waiting })),
        targets: catalog.models.flatMap(({ name, targets }) => targets.map((target) => targetState(name, target))),
      };
    },
    jobs,
    accounts,
    start: (model, request, caller) => starter.start(model, request, caller),
    startJob: (model, request, caller) => starter.startJob(model, request, caller),
    restartJob: (job) => starter.restartJob(job),
    mayRejoin: (callerId) => inFlight.mayRejoin(callerId),
    parkOrphans() {
      inFlight.parkOrphans();
      background.giveUp();
    },
    settled: () => inFlight.settled(),
    cancelAll: () => inFlight.cancelAll(),
  };
}

/** Those that targets use. */
function poolsOf({ models }: ModelCatalog): readonly QuotaPool[] {
  const pools = models.flatMap(({ targets }) => targets.flatMap(({ quota }) => quota ?? []));
  return [...new Set(pools)];
}

function targetState(model: string, target: Target): TargetState {
  const { name, health, retirement } = target;
  const now = performance.now();
  const coolDown = health.coolDownAt(now);
  return {
    model,
    target: name,
    calls: health.permits.taken,
    waiting: health.permits.waiting,
    breaker: health.breakerState,
    coolDownMs: coolDown && Math.max(0, coolDown.until - now),
    retirement,
    hasEnded: hasEnded(target),
  };
}
