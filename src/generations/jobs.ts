import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, KeyedAs } from '../domain/generation-reader.ts';
import type { Delivery, ImageRequest, Operation } from '../domain/image-request.ts';
import type { ImageId, ImageStore, OpenImage } from '../domain/image-store.ts';
import type { Job, JobEnd, JobId, JobQuery } from '../domain/job-store.ts';
import type { BackgroundJobs } from './background-jobs.ts';
import type { Hosting } from './delivery.ts';
import { failureOf, imageIds } from './ends.ts';
import { followJob } from './follow-job.ts';
import type { Generation } from './generation.ts';
import type { InFlight } from './in-flight.ts';
import { jobCancelled } from './interruption.ts';
import { evictableAfterMs } from './keeping.ts';
import { resultGone, StoredReader } from './stored-reader.ts';

type JobsParts = {
  readonly inFlight: InFlight;
  readonly background: BackgroundJobs;
  readonly images: ImageStore;
  /** Where clients get links, if images are hosted at the moment. */
  readonly hosting: { readonly place: Hosting | undefined };
};

/** How a reader wants the response of a job. */
export type JobReading = {
  readonly request: Pick<ImageRequest, 'stream' | 'partialImages'>;
  /** `undefined`: as the client has wanted it that has started the job. */
  readonly delivery: Delivery | undefined;
};

/** For nothing but the images of a job. */
export const imagesOnly: JobReading['request'] = { stream: false, partialImages: 0 };

type Reading = JobReading & {
  readonly hosting: Hosting | undefined;
  readonly keyedAs: KeyedAs | undefined;
  readonly isBackground: boolean;
  /** How long it waits, in milliseconds; `undefined`: for as long as the job takes. */
  readonly patienceMs?: number;
};

/** Another process that runs a job looks about once a second whether it should be cancelled. */
const cancelMs = 3_000;

/** Jobs that their consumers can find again: they belong to no connection, and to no configuration. */
export class Jobs {
  readonly #parts: JobsParts;

  constructor(parts: JobsParts) {
    this.#parts = parts;
  }

  /** Whether jobs outlive the process, and so can be promised to anybody. */
  get areDurable(): boolean {
    return this.#parts.inFlight.isDurable;
  }

  /** Rejects with `job_not_found`, whether the job never was, is another consumer's, or is no more. */
  async find(consumer: string, id: JobId): Promise<Job> {
    const job = await this.#records.find(consumer, id);
    if (job === undefined) throw jobNotFound();
    return job;
  }

  /** The same for a client that has its id: retries of the request that has started it need not get the job any more. */
  async retrieve(consumer: string, id: JobId): Promise<Job> {
    const job = await this.#records.retrieve(consumer, id);
    if (job === undefined) throw jobNotFound();
    return job;
  }

  /** The job of an `Idempotency-Key`. Rejects with `job_not_found`. */
  async findByKey(consumer: string, operation: Operation, key: string): Promise<Job> {
    const job = await this.#records.findByKey(consumer, operation, key);
    if (job === undefined) throw jobNotFound();
    return job;
  }

  list(query: JobQuery): Promise<readonly Job[]> {
    return this.#records.list(query);
  }

  /** The images of a job that is done; `undefined` when they are not stored any more. */
  async images({ end }: Pick<Job, 'end'>): Promise<readonly OpenImage[] | undefined> {
    if (end?.name !== 'done') return undefined;
    const { events } = end.response;
    const opened = await Promise.all(imageIds(events).map((id) => this.#parts.images.open(id)));
    const images = opened.filter((image) => image !== undefined);
    return images.length === events.filter(({ type }) => type === 'image').length ? images : undefined;
  }

  /** An image of a job. `undefined` when it is not stored any more. */
  openImage(id: ImageId): Promise<OpenImage | undefined> {
    return this.#parts.images.open(id);
  }

  /** The images of a job that is done. Rejects with what became of it instead, or of them. */
  async imagesOf(job: Job): Promise<readonly OpenImage[]> {
    const failure = failureOfJob(job.end);
    if (failure !== undefined) throw failure;
    const images = await this.images(job);
    if (images === undefined) throw resultGone();
    return images;
  }

  /** Whether images have links. */
  get canLink(): boolean {
    return this.#parts.hosting.place !== undefined;
  }

  /** Reads the response of a job: while it comes, where it runs in this process, else once it has ended. */
  read(job: Job, reading: JobReading): GenerationReader {
    const delivery = reading.delivery ?? (job.end?.name === 'done' ? job.end.response.asked : undefined);
    return this.readAs(job, {
      ...reading,
      delivery,
      hosting: this.#parts.hosting.place,
      keyedAs: undefined,
      isBackground: job.isBackground,
    });
  }

  /** The same for a client that has sent the request again. @param left called when that does not get the response */
  readAs({ id, model, end }: Pick<Job, 'id' | 'model' | 'end'>, reading: Reading, left = () => {}): GenerationReader {
    const generation = end === undefined ? this.#parts.inFlight.find(id) : undefined;
    // One that has ended may not be recorded yet, and has closed what nobody reads.
    if (generation !== undefined && !generation.isSettled) return generation.attach(reading);
    return this.#readStored({ id, model, end: end ?? generation?.journal.ended }, reading, left);
  }

  /** Resolves when the job has ended, after so many milliseconds, or when the signal is aborted. */
  async waitFor(id: JobId, ms: number, signal: AbortSignal): Promise<void> {
    const ended = followJob(
      id,
      this.#parts.inFlight.store,
      AbortSignal.any([signal, this.#parts.inFlight.ending, AbortSignal.timeout(ms)]),
    );
    await ended.catch(() => {});
  }

  /**
   * Cancels a job that has not ended, and gives it as it is then. Rejects with `job_not_cancellable` when it may be billed, and
   * its upstream cannot be asked to end it.
   */
  async cancel(job: Job): Promise<Job> {
    if (job.end !== undefined) return job;
    const generation = this.#parts.inFlight.find(job.id);
    if (!this.cancelHere(job.id)) {
      if (generation !== undefined && !generation.isSettled) throw notCancellable();
      if (generation === undefined) await this.#records.requestCancel(job.id);
    }
    await this.waitFor(job.id, cancelMs, AbortSignal.any([]));
    const after = await this.#records.find(job.consumer, job.id);
    // Of a request whose client has waited for it, nothing is left.
    if (after === undefined) return { ...job, state: 'cancelled', endedAt: Date.now() };
    if (after.end === undefined) throw notCancellable();
    return after;
  }

  /**
   * A job that may run for a client that waits: from now on it runs on without one, as was promised to another.
   * @param request as text, so that another process can run it as long as nothing was sent
   */
  async promote(id: JobId, request: string | undefined): Promise<void> {
    await this.#records.promote(id, request);
    const generation = this.#parts.inFlight.find(id);
    if (generation !== undefined) generation.isBackground = true;
  }

  /** Cancels a job that this process has. Returns whether it could. */
  cancelHere(id: JobId): boolean {
    const { inFlight, background } = this.#parts;
    if (background.cancel(id)) return true;
    const generation: Generation | undefined = inFlight.find(id);
    if (!generation?.isCancellable) return false;
    generation.cancel('cancelled');
    return true;
  }

  /** Cancels what other processes were asked to cancel here. */
  async cancelRequested(): Promise<void> {
    for (const id of await this.#records.cancelRequests()) this.cancelHere(id);
  }

  /** Removes a job that has ended, and its images. Rejects with `job_not_found` and `job_not_completed`. */
  async remove(consumer: string, id: JobId): Promise<void> {
    const ids = await this.#records.remove(consumer, id);
    if (ids === undefined) {
      await this.find(consumer, id);
      throw notCompleted();
    }
    await this.#parts.images.remove(ids);
  }

  get #records() {
    return this.#parts.inFlight.store.records;
  }

  #readStored({ id, model, end }: Pick<Job, 'id' | 'model' | 'end'>, reading: Reading, left: () => void) {
    const { inFlight, images } = this.#parts;
    const { store } = inFlight;
    const following = new AbortController();
    const { patienceMs, ...wanted } = reading;
    const reader = new StoredReader({
      ...wanted,
      ...(end === undefined && patienceMs !== undefined && { patienceMs }),
      job: id,
      model,
      images,
      end: end === undefined ? followJob(id, store, following.signal) : Promise.resolve(end),
      delivered: (ids: readonly ImageId[]) => {
        store.delivered(id);
        images.mayEvict(ids, inFlight.now() + evictableAfterMs);
      },
      left,
    });
    reader.events.catch(() => following.abort());
    inFlight.follow(reader, reader.events);
    return reader;
  }
}

/** Why a job has no response. @param end how it has ended; `undefined`: it has not */
export function failureOfJob(end: JobEnd | undefined): GatewayError | undefined {
  if (end === undefined) return notCompleted();
  if (end.name === 'cancelled') return jobCancelled();
  return end.name === 'done' ? undefined : failureOf(end.failure);
}

export function jobNotFound(): GatewayError {
  return new GatewayError('job_not_found', 'There is no such job, or not any more.');
}

export function isJobNotFound(error: unknown): boolean {
  return error instanceof GatewayError && error.kind === 'job_not_found';
}

function notCompleted(): GatewayError {
  return new GatewayError('job_not_completed', 'The job has not ended.');
}

function notCancellable(): GatewayError {
  const message =
    'The job could not be cancelled: the image service cannot stop what it makes, or the gateway that runs it did not respond in time.';
  return new GatewayError('job_not_cancellable', message);
}
