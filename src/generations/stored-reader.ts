import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, GenerationReport, Settlement } from '../domain/generation-reader.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { ImageId, ImageStore, OpenImage } from '../domain/image-store.ts';
import type { JobEnd, JobId, StoredEvent, StoredReport } from '../domain/job-store.ts';
import type { Reading } from './attached-reader.ts';
import { deliver, wantedBy } from './delivery.ts';
import { failureOf, imageIds, nothingTried } from './ends.ts';
import { notProcessed } from './follow-job.ts';
import { interruptionError, parkedError } from './interruption.ts';
import { storedImage } from './stored-image.ts';

type StoredReaderParts = Omit<Reading, 'response' | 'fallback'> & {
  readonly job: JobId;
  readonly model: string;
  readonly images: Pick<ImageStore, 'open'>;
  /** How the job ended; waited for where another process runs it. */
  readonly end: Promise<JobEnd>;
  /** The response has reached its client. */
  readonly delivered: (images: readonly ImageId[]) => void;
  /** It belongs to no connection. */
  readonly isBackground: boolean;
  /** Its client does not get it this time. */
  readonly left: () => void;
};

/** Reads the recorded end of a job: the same response, or the same failure, again. */
export class StoredReader implements GenerationReader {
  readonly signal = AbortSignal.any([]);
  readonly events: Promise<AsyncIterable<ImageEvent>>;
  readonly #parts: StoredReaderParts;
  readonly #startedAt = performance.now();
  readonly #left = Promise.withResolvers<never>();
  readonly #patience: NodeJS.Timeout | undefined;
  #knownAt: number | undefined;
  #end: JobEnd | undefined;

  constructor(parts: StoredReaderParts) {
    this.#parts = parts;
    const own = parts.end.then((end) => this.#read(end));
    this.events = Promise.race([own, this.#left.promise]);
    this.events.catch(() => {});
    own.catch((error) => {
      // A store that fails for a moment must not use up the one time that a job without a key can be had.
      if (!this.#isFinal(error)) parts.left();
    });
    if (parts.patienceMs === undefined) return;
    this.#patience = setTimeout(() => this.cancel('deadline'), parts.patienceMs);
    const stop = () => clearTimeout(this.#patience);
    own.then(stop, stop);
  }

  get isBackground(): boolean {
    return this.#parts.isBackground;
  }

  get report(): GenerationReport {
    const { job, model, keyedAs, patienceMs } = this.#parts;
    const stored = this.#end && reportOf(this.#end);
    return {
      ...nothingReported,
      model,
      ...stored,
      ...(patienceMs !== undefined && { timeoutMs: patienceMs }),
      id: job,
      keyedAs,
      startedAt: this.#startedAt,
      knownAt: this.#knownAt,
    };
  }

  leave(): void {
    clearTimeout(this.#patience);
    this.#parts.left();
    this.#left.reject(interruptionError('client gone', { isOpen: false, isTried: false }));
  }

  /** Ends the wait for a job that goes on. */
  cancel(why: 'deadline' | 'shutdown'): void {
    clearTimeout(this.#patience);
    this.#parts.left();
    const kind = { isKeyed: this.#parts.keyedAs !== undefined, isBackground: this.isBackground };
    const isFollowed = kind.isKeyed || kind.isBackground;
    this.#left.reject(isFollowed ? parkedError(kind) : interruptionError(why, { isOpen: true, isTried: true }));
  }

  settle(how: Settlement): void {
    if (how !== 'delivered') this.#parts.left();
    else if (this.#end?.name === 'done') this.#parts.delivered(imageIds(this.#end.response.events));
  }

  /** Whether a failure is the job's own, which every further reader would get. */
  #isFinal(error: unknown): boolean {
    if (this.#end === undefined) return false;
    return this.#end.name !== 'done' || (error instanceof GatewayError && error.kind === 'idempotency_result_gone');
  }

  async #read(end: JobEnd): Promise<AsyncIterable<ImageEvent>> {
    this.#end = end;
    this.#knownAt = performance.now();
    // It has lost the client that it was for, and this one has come too late to keep it.
    if (end.name === 'cancelled' && end.failure.kind !== 'job_cancelled') throw notProcessed();
    if (end.name !== 'done') throw failureOf(end.failure);
    const { request, delivery, hosting, images } = this.#parts;
    const { events, delivery: fallback } = end.response;
    const opened = await openAll(events, images);
    return deliver(replayed(events, opened), wantedBy(request, { delivery, fallback, hosting }), this);
  }
}

const nothingReported = {
  ...nothingTried,
  maxRetries: 0,
  timeoutMs: 0,
  queueMs: 0,
  upstreamMs: undefined,
  // A response that is read again costs nothing.
  bill: { cost: 0n, currency: undefined, mayBeMore: false, isEstimate: false },
  costAhead: undefined,
  upstreamRequestId: undefined,
};

function reportOf(end: JobEnd): StoredReport {
  return end.name === 'done' ? end.response.report : end.failure.report;
}

/** All images of a response, before the first byte of it is written. Rejects with `idempotency_result_gone`. */
async function openAll(
  events: readonly StoredEvent[],
  images: Pick<ImageStore, 'open'>,
): Promise<ReadonlyMap<ImageId, OpenImage>> {
  const opened = new Map<ImageId, OpenImage>();
  if (events.length === 0) throw resultGone();
  for (const event of events) {
    if (event.type !== 'image') continue;
    const image = event.image && (await images.open(event.image.id));
    if (image === undefined) throw resultGone();
    opened.set(image.id, image);
  }
  return opened;
}

export function resultGone(): GatewayError {
  const message =
    'This request was served before, and its images are not stored any more. They were paid for; a new request makes new ones.';
  return new GatewayError('idempotency_result_gone', message);
}

async function* replayed(
  events: readonly StoredEvent[],
  opened: ReadonlyMap<ImageId, OpenImage>,
): AsyncGenerator<ImageEvent> {
  for (const event of events) {
    if (event.type !== 'image') {
      yield event;
      continue;
    }
    const { image: stored, index, ...end } = event;
    const image = opened.get(stored?.id ?? '') as OpenImage;
    yield* storedImage(image, { ...end, index });
  }
}
