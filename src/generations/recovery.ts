import { GatewayError } from '../domain/gateway-error.ts';
import type { InputStore } from '../domain/image-input.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ImageStore, OpenImage } from '../domain/image-store.ts';
import type { JobAttempt, JobEnd, StoredReport, TakenJob } from '../domain/job-store.ts';
import type { KeptInputs } from '../domain/kept-inputs.ts';
import { chargesOfAttempts } from '../domain/ledger.ts';
import type { Recorder } from '../domain/recorder.ts';
import { plainRequest } from '../parameters/parameter-samples.ts';
import type { LogicalModel } from '../targets/model-catalog.ts';
import type { Accounts } from './accounts.ts';
import { heldNothing } from './admission.ts';
import type { BackgroundJobs } from './background-jobs.ts';
import type { Converting } from './converted-events.ts';
import { storedFailure } from './ends.ts';
import type { Gateway } from './gateway.ts';
import { Generation } from './generation.ts';
import type { InFlight } from './in-flight.ts';
import type { Jobs } from './jobs.ts';
import { evictableAfterMs } from './keeping.ts';
import { persist } from './persist.ts';
import { type PaidPiece, Resumption } from './resumption.ts';
import { settleFirst } from './settle-first.ts';

type RecoveryParts = {
  readonly inFlight: InFlight;
  readonly images: ImageStore;
  readonly recorder: Recorder;
  readonly converting?: Converting | undefined;
  readonly background: BackgroundJobs;
  readonly jobs: Pick<Jobs, 'cancelRequested'>;
  readonly keptInputs: KeptInputs;
  readonly accounts: Pick<Accounts, 'adopt' | 'takeOver'>;
  /** The one of the configuration that is in force. */
  readonly gateway: () => Pick<Gateway, 'catalog' | 'restartJob'>;
};

/** Accepted work is followed for so long: Azure keeps operations for a day. */
const resumeMs = 24 * 60 * 60_000;

const everyMs = 1_000;

/**
 * Takes over the jobs of processes that have died or were stopped: what was paid for is finished from its files, or followed by
 * its handle; what is neither is called unknown. A paid call is never repeated.
 */
export class Recovery {
  readonly #parts: RecoveryParts;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** Jobs that were taken over, and could not be looked at: nobody else takes them over as long as this process lives. */
  #postponed: TakenJob[] = [];

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** Recovers what there is now, and then goes on every second. Rejects when the store cannot be read now. */
  async start(): Promise<void> {
    const { inFlight, images } = this.#parts;
    // Of those of all gateways, only images on this machine can be evicted.
    if (images.isLocal) {
      for await (const { images: ids, endedAt } of inFlight.store.deliveredImages()) {
        images.mayEvict(ids, endedAt + evictableAfterMs);
      }
    }
    await this.#recoverAll();
    const next = () => {
      if (this.#isStopped) return;
      // A store that is away for a moment is asked again.
      this.#timer = setTimeout(
        () =>
          void this.#recoverAll()
            .catch(() => {})
            .then(next),
        everyMs,
      ).unref();
    };
    next();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #recoverAll(): Promise<void> {
    const { inFlight, accounts } = this.#parts;
    if (inFlight.isEnding) return;
    await this.#parts.jobs.cancelRequested();
    const taken = await inFlight.store.takeOver();
    // What goes on here settles by itself.
    await accounts.takeOver().catch(() => {});
    const jobs = [...this.#postponed, ...taken];
    this.#postponed = [];
    await Promise.all(jobs.map((job) => this.#recover(job).catch(() => this.#postponed.push(job))));
  }

  async #recover(job: TakenJob): Promise<void> {
    const { recorder, inFlight, background, keptInputs } = this.#parts;
    const own = inFlight.find(job.lease.job);
    if (own !== undefined && own.state.name !== 'parked') {
      own.journal.adopt(job.lease);
      return;
    }
    if (background.adopt(job.lease)) return;
    if (job.request !== undefined) {
      await this.#restart(job);
      return;
    }
    // Calls that were sent are not sent again.
    await keptInputs.open(job.inputs).release();
    if (!job.isKeyed && !job.isBackground) inFlight.noteLeft(job.consumer);
    const model = this.#modelOf(job);
    const pieces = await Promise.all(
      lastOfEachLeg(job.attempts)
        .filter(({ state }) => state === 'dispatched' || state === 'unknown')
        .map((attempt) => this.#pieceOf(attempt, model)),
    );
    if (inFlight.isEnding) {
      await inFlight.store.release(job.lease);
      return;
    }
    const paid = pieces.filter((piece) => piece !== undefined);
    const images = paid.reduce((sum, piece) => sum + imagesOf(piece), 0);
    const isWhole = paid.length === pieces.length && images === job.count;
    const deliversPart = model?.partialSuccess === 'deliver';
    if (pieces.length === 0) {
      recorder.jobRecovered('not_processed');
      await this.#end(job, 'not_processed', interruptedBefore());
    } else if (!isWhole && !(deliversPart && paid.length > 0)) {
      recorder.jobRecovered('unknown');
      await this.#end(job, 'unknown', interrupted());
    } else {
      recorder.jobRecovered(paid.every(({ kind }) => kind === 'stored') ? 'stored' : 'resumed');
      this.#resume(job, paid, deliversPart);
    }
  }

  /** Runs what waits in the background: its first paid call, and not a repetition. */
  async #restart(job: TakenJob): Promise<void> {
    const { inFlight, recorder, gateway, keptInputs } = this.#parts;
    if (inFlight.isEnding) {
      await inFlight.store.release(job.lease);
      return;
    }
    recorder.jobRecovered('restarted');
    try {
      gateway().restartJob(job);
    } catch (error) {
      const end: JobEnd = { name: 'not_processed', failure: storedFailure(error, reportOf(job)) };
      await this.#finish(job, end, keptInputs.open(job.inputs));
    }
  }

  /** `undefined`: the model has left the configuration. */
  #modelOf({ model }: TakenJob): LogicalModel | undefined {
    return this.#parts.gateway().catalog.models.find(({ name }) => name === model);
  }

  /** `undefined`: nobody knows what has become of it. */
  async #pieceOf(attempt: JobAttempt, model: LogicalModel | undefined): Promise<PaidPiece | undefined> {
    const opened = await Promise.all(attempt.images.map((id) => this.#parts.images.open(id)));
    const images = opened.filter((image): image is OpenImage => image !== undefined);
    if (images.length === attempt.images.length) return { kind: 'stored', images };
    const target = model?.targets.find(({ name }) => name === attempt.target);
    const { handle } = attempt;
    if (handle === undefined || target?.provider.resume === undefined) return undefined;
    return { kind: 'accepted', attempt, handle, target };
  }

  async #end(job: TakenJob, name: 'not_processed' | 'unknown', error: GatewayError): Promise<void> {
    const end: JobEnd = { name, failure: storedFailure(error, reportOf(job)) };
    await this.#finish(job, end);
  }

  /** @param inputs of a job that might still be run elsewhere, where it has been taken over from here */
  async #finish(job: TakenJob, end: JobEnd, inputs?: Pick<InputStore, 'release'>): Promise<void> {
    const { inFlight, accounts } = this.#parts;
    const account = accounts.adopt(job);
    await persist(async () => {
      await settleFirst(
        inFlight.store,
        () => account.settle(chargesOfAttempts(job.attempts, false)),
        () => inFlight.store.finish(job.lease, end),
      );
      await inputs?.release();
    });
  }

  #resume(job: TakenJob, pieces: readonly PaidPiece[], deliversPart: boolean): void {
    const { inFlight, images, recorder, accounts, converting } = this.#parts;
    const request = requestOf(job);
    new Generation({
      lease: job.lease,
      consumer: job.consumer,
      isKeyed: job.isKeyed,
      isRetrievable: job.isRetrievable,
      isBackground: job.isBackground,
      isRepeat: false,
      earlier: job.attempts,
      keepReason: 'kept',
      request,
      model: { name: job.model },
      context: {
        asked: request,
        // Links of the upstream are downloaded while they lead somewhere.
        delivery: 'b64_json',
        hosting: undefined,
        converting,
        isModelsDeadline: false,
        recorder,
        trace: undefined,
        requestId: undefined,
        model: job.model,
      },
      createCalls: (context) => new Resumption({ request, pieces, deliversPart, context }),
      maxRetries: 0,
      timeoutMs: resumeMs,
      // It was admitted when it was paid for.
      permits: heldNothing,
      account: accounts.adopt(job),
      admission: { acquire: async () => () => {} },
      inFlight,
      images,
    });
  }
}

/** A retry takes the place of the call that it repeats. */
function lastOfEachLeg(attempts: readonly JobAttempt[]): readonly JobAttempt[] {
  return [...new Map(attempts.map((attempt) => [attempt.leg, attempt])).values()];
}

function imagesOf(piece: PaidPiece): number {
  return piece.kind === 'stored' ? piece.images.length : piece.attempt.images.length;
}

function reportOf({ model, attempts }: TakenJob): StoredReport {
  const last = attempts.at(-1);
  return {
    model,
    target: last?.target,
    provider: undefined,
    asked: last?.asked ?? {},
    adaptations: [],
    attempts: attempts.length,
    sent: attempts.length > 0,
    maxRetries: 0,
    timeoutMs: 0,
  };
}

/** What is left of a request: its prompt and its inputs were never recorded. */
function requestOf({ operation, count, attempts }: TakenJob): ImageRequest {
  const edit = { images: [], mask: undefined, markup: undefined, inputs: noInputs };
  const asked = { ...plainRequest, ...attempts.at(-1)?.asked, prompt: '', count };
  return operation === 'edit' ? { ...asked, edit } : asked;
}

const noInputs = {
  open(): never {
    throw new Error('the inputs of a resumed job are gone');
  },
  release: async () => {},
};

function interrupted(): GatewayError {
  const message =
    'The gateway was interrupted before it knew the outcome. The image may have been made and billed; it was not retried.';
  return new GatewayError('upstream_outcome_unknown', message, { outcome: 'unknown' });
}

function interruptedBefore(): GatewayError {
  const message = 'The gateway was interrupted before anything was sent to the image service. Nothing was billed.';
  return new GatewayError('overloaded', message, { outcome: 'not-processed', retryAfterMs: 1_000 });
}
