import type { BudgetUsage } from '../domain/budget.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, KeyedAs } from '../domain/generation-reader.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ImageStore } from '../domain/image-store.ts';
import type { BackgroundClaim, Claimed, JobId, TakenJob } from '../domain/job-store.ts';
import type { KeptInputs } from '../domain/kept-inputs.ts';
import type { QuotaGrant } from '../domain/quota-pools.ts';
import type { Recorder } from '../domain/recorder.ts';
import { plan } from '../parameters/plan.ts';
import type { ModelCatalog } from '../targets/model-catalog.ts';
import type { GatewayTimes } from '../targets/times.ts';
import type { Accounts } from './accounts.ts';
import { type Admission, heldNothing } from './admission.ts';
import type { BackgroundJobs } from './background-jobs.ts';
import type { Caller } from './caller.ts';
import type { Converting } from './converted-events.ts';
import type { Hosting } from './delivery.ts';
import { Failover } from './failover.ts';
import { Generation } from './generation.ts';
import { estimateOf, grantedPermits, type Held, holdPermits, settleNothing } from './held-permits.ts';
import type { InFlight } from './in-flight.ts';
import { shuttingDown } from './interruption.ts';
import type { Jobs } from './jobs.ts';
import { persist } from './persist.ts';
import { claimOf, endOfNothing, type Planned, readingOf, timeoutOf } from './planned-request.ts';
import { firstGrant } from './quota-turns.ts';
import { requestOfText, textOfRequest } from './stored-request.ts';

export type StarterParts = {
  readonly catalog: ModelCatalog;
  readonly admission: Admission;
  readonly recorder: Recorder;
  /** Where clients get links, if images are hosted at the moment. */
  readonly hosting: { readonly place: Hosting | undefined };
  /** What converts images, if there is something that does. */
  readonly converting?: Converting | undefined;
  readonly images: ImageStore;
  readonly times: GatewayTimes;
  readonly inFlight: InFlight;
  readonly background: BackgroundJobs;
  readonly jobs: Jobs;
  readonly keptInputs: KeptInputs;
  readonly accounts: Accounts;
  readonly random?: () => number;
};

/** A job that was started, or found again by its `Idempotency-Key` or by a retry. */
export type StartedJob = {
  readonly id: JobId;
  readonly keyedAs: KeyedAs | undefined;
  readonly isNew: boolean;
  /** What its start has left of the consumer's budget, where there is one. */
  readonly budget?: BudgetUsage | undefined;
};

type NewJob = Extract<Claimed, { kind: 'new' }>;
type FoundJob = Extract<Claimed, { kind: 'running' | 'ended' }>;

/** So many jobs of one consumer may wait or run without a client. */
const maxOpenJobs = 1_000;

/** Makes a generation of a request: plans it, claims its job, and runs that, unless it is found to run or to have ended. */
export class GenerationStarter {
  readonly #parts: StarterParts;

  constructor(parts: StarterParts) {
    this.#parts = parts;
  }

  async start(model: string | undefined, asked: ImageRequest, caller: Caller): Promise<GenerationReader> {
    const { planned, job } = await this.#prepare(this.#plan(model, asked, caller));
    try {
      const claimed = await this.#claim(planned, job);
      if (claimed.kind !== 'new') return this.#join(claimed, planned);
      return await this.#firstStep(claimed, planned, () => {
        const held = holdPermits(this.#parts, claimed.lease.job, planned);
        return this.#begin(claimed, planned, held).attach(readingOf(planned, 'first'));
      });
    } catch (error) {
      await release(planned);
      throw error;
    }
  }

  async startJob(model: string | undefined, asked: ImageRequest, caller: Caller): Promise<StartedJob> {
    const { planned, job } = await this.#prepare(this.#plan(model, asked, caller));
    try {
      const claimed = await this.#claim(planned, job);
      if (claimed.kind === 'new') {
        const { account } = await this.#firstStep(claimed, planned, async () => {
          const held = await grantedPermits(this.#parts, claimed.lease.job, planned);
          this.#enqueue(claimed, planned, held);
          return held;
        });
        const keyedAs = planned.isKeyed ? 'first' : undefined;
        return { id: claimed.lease.job, keyedAs, isNew: true, budget: account.usage };
      }
      await release(planned);
      // Without the inputs of an edit, which are gone, nobody else could run it.
      const text = planned.request.edit === undefined ? job?.request : undefined;
      if (claimed.kind === 'running') await this.#parts.jobs.promote(claimed.job, text);
      return { id: claimed.job, keyedAs: this.#noteFound(claimed, planned), isNew: false };
    } catch (error) {
      await release(planned);
      throw error;
    }
  }

  /** Starts a job that another process has claimed, and of which nothing was sent. It was admitted there. */
  restartJob(job: TakenJob): void {
    const { lease, consumer, model, isKeyed, isRepeat, request: text = '', inputs } = job;
    const { request, caller } = requestOfText(text, this.#parts.keptInputs.open(inputs));
    const restarted = {
      ...caller,
      id: consumer,
      isRetry: false,
      bodyBytes: 0,
      keeping: { isBackground: true, isRetrievable: true },
    };
    const planned = { ...this.#plan(model, request, restarted), isKeyed };
    const account = this.#parts.accounts.adopt(job, estimateOf(planned));
    this.#enqueue({ kind: 'new', lease, isRepeat }, planned, { permits: heldNothing, account });
  }

  #plan(name: string | undefined, request: ImageRequest, caller: Caller): Planned {
    const { inFlight, catalog, hosting, converting } = this.#parts;
    if (inFlight.isClosed) throw shuttingDown();
    const model = catalog.find(name, caller.models);
    const { place } = hosting;
    const canConvert = converting !== undefined;
    const planned = plan(request, model, { canHost: place !== undefined, canConvert });
    const isKeyed = caller.idempotencyKey !== undefined;
    return {
      model,
      planned,
      place,
      request,
      caller,
      isKeyed,
      isRetrievable: isKeyed || (caller.keeping?.isRetrievable ?? false),
    };
  }

  async #claim(planned: Planned, job: Omit<BackgroundClaim, 'maxOpen'> | undefined): Promise<NewJob | FoundJob> {
    const { inFlight } = this.#parts;
    const lingerMs = inFlight.mayRejoin(planned.caller.id) ? inFlight.lingerMs : 0;
    const background = job && { ...job, maxOpen: maxOpenJobs };
    const claimed = await inFlight.store.claim(claimOf(planned, { lingerMs, background }));
    if (claimed.kind === 'mismatch') throw keyReused();
    if (claimed.kind === 'full') throw tooManyJobs();
    return claimed;
  }

  /** Takes the first step of a job; where that fails, the job has ended. */
  async #firstStep<T>({ lease }: NewJob, planned: Planned, step: () => T | Promise<T>): Promise<T> {
    const { recorder, inFlight } = this.#parts;
    const { caller, isKeyed } = planned;
    if (caller.isRetry && !isKeyed) recorder.retryArrived('possible_duplicate');
    try {
      return await step();
    } catch (error) {
      await persist(() => inFlight.store.finish(lease, endOfNothing(error, planned), true));
      throw error;
    }
  }

  #begin(
    { lease, isRepeat }: NewJob,
    planned: Planned,
    { permits, account }: Held,
    having?: Pick<Admission, 'acquire'> & { readonly granted: QuotaGrant | undefined },
  ): Generation {
    const { recorder, inFlight, images, times, admission, random = Math.random } = this.#parts;
    const { model, place, request, caller, isKeyed, isRetrievable } = planned;
    const delivery = request.stream ? 'b64_json' : planned.planned.delivery;
    const isHosted = delivery === 'url' && place !== undefined;
    const maxRetries = Math.min(caller.maxRetries ?? model.maxRetries, model.maxRetries);
    const mayRepeatUnknown = model.onUnknownOutcome === 'retry' && !isRepeat;
    const isBackground = caller.keeping?.isBackground ?? false;
    const common = { request, model, maxRetries };
    const failover = {
      ...common,
      planned: planned.planned,
      mayRepeatUnknown,
      isBackground,
      consumer: caller.id,
      granted: having?.granted,
      budget: inFlight.budget,
      times,
      random,
    };
    return new Generation({
      ...common,
      lease,
      consumer: caller.id,
      isKeyed,
      isRetrievable,
      isBackground,
      isRepeat,
      keepReason: isRetrievable ? 'kept' : isHosted ? 'hosted' : caller.keeping && 'passing',
      context: {
        asked: request,
        delivery,
        hosting: place,
        converting: this.#parts.converting,
        isModelsDeadline: (caller.timeoutMs ?? model.timeoutMs) >= model.timeoutMs,
        recorder,
        trace: caller.trace,
        requestId: caller.requestId,
        model: model.name,
      },
      createCalls: (context, deadline) => new Failover({ ...failover, context, deadline }),
      timeoutMs: timeoutOf(model, caller),
      permits,
      account,
      admission: having ?? admission,
      inFlight,
      images,
    });
  }

  #join(claimed: FoundJob, planned: Planned): GenerationReader {
    const { jobs, inFlight } = this.#parts;
    const { request, caller, model, isKeyed } = planned;
    // What it works on is what its first client sent, and equal.
    void request.edit?.inputs.release();
    const end = claimed.kind === 'ended' ? claimed.end : undefined;
    const reading = {
      ...readingOf(planned, this.#noteFound(claimed, planned)),
      ...(isKeyed && { patienceMs: timeoutOf(model, caller) }),
    };
    return jobs.readAs({ id: claimed.job, model: model.name, end }, reading, () => {
      if (!isKeyed) inFlight.store.putBack(claimed.job);
    });
  }

  #noteFound(claimed: FoundJob, { isKeyed }: Planned): KeyedAs {
    const isUnknown = claimed.kind === 'ended' && claimed.end.name === 'unknown';
    const keyedAs = claimed.kind === 'ended' ? 'replayed' : 'joined';
    this.#parts.recorder.retryArrived(isKeyed ? keyedAs : isUnknown ? 'shared_unknown' : 'rejoined');
    return keyedAs;
  }

  /** Puts a job into the queue of those that run without a client. */
  #enqueue(job: NewJob, planned: Planned, held: Held): void {
    this.#parts.background.enqueue({
      lease: job.lease,
      permits: held.permits,
      model: planned.model.name,
      hasRoom: () => planned.planned.candidates.some(({ target }) => !target.health.permits.isFull),
      turn: (signal) => firstGrant(planned.planned, planned.caller.id, signal),
      begin: (lease, { permit, granted }) =>
        this.#begin({ ...job, lease }, planned, held, { acquire: async () => permit, granted }).journal.begun,
      endOf: (error) => endOfNothing(error, planned),
      removeInputs: () => release(planned),
      settle: () => settleNothing(held),
    });
  }

  /** Makes a request that runs without a client fit to be run by another process. */
  async #prepare(planned: Planned): Promise<{ planned: Planned; job: Omit<BackgroundClaim, 'maxOpen'> | undefined }> {
    const { request, caller } = planned;
    if (!caller.keeping?.isBackground) return { planned, job: undefined };
    const text = textOfRequest(request, caller);
    const { edit } = request;
    if (edit === undefined) return { planned, job: { request: text, inputs: undefined } };
    const { keptInputs } = this.#parts;
    const name = await keptInputs.keep(caller.id, edit);
    await edit.inputs.release();
    const durable = { ...request, edit: { ...edit, inputs: keptInputs.open(name) } };
    // What each target is asked for holds the inputs, too.
    const abilities = { canHost: planned.place !== undefined, canConvert: planned.planned.canConvert };
    const kept = { ...planned, request: durable, planned: plan(durable, planned.model, abilities) };
    return { planned: kept, job: { request: text, inputs: name } };
  }
}

/** A request that does not become a generation has no use for its inputs. */
async function release({ request }: Planned): Promise<void> {
  await request.edit?.inputs.release();
}

function keyReused(): GatewayError {
  const message = 'This Idempotency-Key was used for a different request. Use a new key for each request.';
  return new GatewayError('idempotency_key_reused', message, { param: 'Idempotency-Key' });
}

function tooManyJobs(): GatewayError {
  const message = `${maxOpenJobs} jobs of this consumer wait or run already. Nothing was sent to the image service.`;
  return new GatewayError('too_many_jobs', message, { retryAfterMs: 5_000 });
}
