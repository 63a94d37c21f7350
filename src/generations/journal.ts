import type { ImageFacts } from '../domain/image-event.ts';
import type { UpstreamHandle } from '../domain/image-provider.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { JobAttempt, JobEnd, JobLease, JobStore } from '../domain/job-store.ts';
import type { AttemptEnd } from '../domain/recorder.ts';
import { persist } from './persist.ts';
import { settleFirst } from './settle-first.ts';
import type { UpstreamCall } from './upstream-call.ts';

type JournalParts = {
  readonly store: JobStore;
  readonly lease: JobLease;
  readonly isKeyed: boolean;
  readonly isRetrievable: boolean;
  /** The job repeats one that may have been billed. */
  readonly isRepeat: boolean;
  /** Awaited before each paid call. Rejects with a GatewayError when its images could not be stored. */
  readonly makeRoom: () => Promise<void>;
  /** Counts what the calls have cost; it may be repeated. `isPart`: the open ones go on elsewhere. */
  readonly settle: (how: { readonly isDone: boolean; readonly isPart: boolean }) => Promise<void>;
  /** Removes the inputs that were kept for the job, once its end is recorded: until then it may run elsewhere. Never rejects. */
  readonly removeInputs?: () => Promise<void>;
};

/**
 * Records the paid calls of one job before they are sent, accepted work before it is polled, what they have cost, and how the job
 * ended.
 */
export class Journal {
  readonly #parts: JournalParts;
  #lease: JobLease;
  /** Of calls that an earlier owner of the job has made. */
  readonly #earlier: readonly JobAttempt[];
  readonly #calls: UpstreamCall[] = [];
  readonly #begun = Promise.withResolvers<void>();
  readonly #finished = Promise.withResolvers<void>();
  /** Its client may ask for the end again. */
  isWanted: boolean;
  /** How the job ended, where that is recorded. */
  ended: JobEnd | undefined;
  /** Resolves when it was tried to record that the job has ended, or is given up. */
  recorded: Promise<void> | undefined;

  /** @param earlier what was recorded of a job that was taken over: it has lost its client with its former owner */
  constructor(parts: JournalParts, earlier: readonly JobAttempt[] | undefined) {
    this.#parts = parts;
    this.#lease = parts.lease;
    this.#earlier = earlier ?? [];
    this.isWanted = parts.isRetrievable || earlier !== undefined;
  }

  /** Whether a call was made, or was about to be. */
  get isDispatched(): boolean {
    return this.#earlier.length + this.#calls.length > 0;
  }

  /** Resolves when the first call is about to be sent, or when there is none. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  /** Resolves once that is recorded, or never will be. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /** This process has taken its own job over: it was taken for dead, and nobody else has the job. */
  adopt(lease: JobLease): void {
    this.#lease = lease;
  }

  async dispatch(call: UpstreamCall): Promise<void> {
    const { store, isRepeat, makeRoom } = this.#parts;
    this.#begun.resolve();
    await makeRoom();
    const isRepeated = isRepeat || this.#calls.some(({ failure }) => failure === 'unknown');
    // A call is dispatched again when its token had to be replaced.
    if (!this.#calls.includes(call)) this.#calls.push(call);
    await store.dispatch(this.#lease, this.#attempts(), isRepeated);
  }

  note(): Promise<void> {
    const { store } = this.#parts;
    return store.note(this.#lease, this.#attempts());
  }

  /** The client has left, or may retry although it was told not to. Without a key its retry would not find the job. */
  leave(): void {
    const { store, isKeyed } = this.#parts;
    this.isWanted = true;
    if (isKeyed) return;
    if (this.ended === undefined) store.orphan(this.#lease).catch(() => {});
    else store.putBack(this.#lease.job);
  }

  /**
   * Records how the job ended, once: what is recorded first counts. What nobody can ask for is forgotten. Resolves when that was
   * tried: a response that was paid for is delivered also when it cannot be recorded.
   */
  end(describe: () => JobEnd): Promise<void> {
    const { store, settle } = this.#parts;
    this.recorded ??= this.#persist(
      this.isWanted
        ? this.#finishing(describe())
        : async () => {
            // Of a job that is forgotten, nobody else would settle it.
            await settle({ isDone: false, isPart: false });
            store.forget(this.#lease);
          },
    );
    return this.recorded;
  }

  /** Gives the job up, so that whoever takes it over goes on with it. */
  release(): Promise<void> {
    const { store, settle } = this.#parts;
    this.recorded = this.#persist(async () => {
      await settleFirst(
        store,
        () => settle({ isDone: false, isPart: true }),
        () => store.release(this.#lease),
      );
    });
    return this.recorded;
  }

  #finishing(end: JobEnd): () => Promise<void> {
    const { store, settle, removeInputs } = this.#parts;
    this.ended = end;
    return async () => {
      await settleFirst(
        store,
        () => settle({ isDone: end.name === 'done', isPart: false }),
        () => store.finish(this.#lease, end),
      );
      void removeInputs?.();
    };
  }

  async #persist(step: () => Promise<void>): Promise<void> {
    this.#begun.resolve();
    const { finished } = await persist(step);
    this.#finished.resolve(finished);
  }

  #attempts(): readonly JobAttempt[] {
    return [...this.#earlier, ...this.#calls.map(recordOf)];
  }
}

function recordOf({ leg, target, failure, handle, attempt, imageIds, request, conversion }: UpstreamCall): JobAttempt {
  return {
    leg,
    target: target.name,
    state: stateOf(failure),
    ...(handle !== undefined && { handle: handle satisfies UpstreamHandle }),
    ...(attempt.upstreamRequestId !== undefined && { upstreamRequestId: attempt.upstreamRequestId }),
    images: imageIds,
    asked: factsOf(request),
    ...(conversion && { conversion }),
  };
}

function stateOf(failure: AttemptEnd | undefined): JobAttempt['state'] {
  if (failure === undefined || failure === 'delivered') return 'dispatched';
  return failure === 'truncated' || failure === 'abandoned' ? 'unknown' : failure;
}

/** What a request asks for, where that is definite. */
export function factsOf({ size, quality, background, outputFormat }: ImageRequest): ImageFacts {
  const facts = { size, quality, background, outputFormat };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
