import type { ErrorKind, ModerationDetails, Outcome } from './gateway-error.ts';
import type { Conversion } from './image-conversion.ts';
import type { ImageEnd, ImageEvent, ImageFacts } from './image-event.ts';
import type { UpstreamHandle } from './image-provider.ts';
import type { Delivery, Operation } from './image-request.ts';
import type { ImageId, StoredImage } from './image-store.ts';

/** Names a job, and the generation that runs it: unguessable. */
export type JobId = string;

/** The right to write a job. The epoch rises with each owner: who writes with an earlier one is refused. */
export type JobLease = { readonly job: JobId; readonly epoch: number };

/** Who asks for what. */
export type JobClaim = {
  readonly consumer: string;
  readonly operation: Operation;
  /** The logical model. */
  readonly model: string;
  /** How many images are asked for. */
  readonly count: number;
  /** Of the whole request: equal requests have equal fingerprints. */
  readonly fingerprint: string;
  /** The `Idempotency-Key`, which names the job among those of its consumer and operation. */
  readonly key: string | undefined;
  /** Without a key: the longest time since the client of an equal job has left for this claim to get that job, in milliseconds. */
  readonly rejoinMs: number;
  /** Whether the operator wants a job whose outcome is unknown to be run once more. */
  readonly mayRepeat: boolean;
  /** Its client can find it again, by its key or by its id, as long as its images are kept. */
  readonly isRetrievable: boolean;
  /** Set for a job for which no client waits. */
  readonly background?: BackgroundClaim;
  /** What its surface needs to show it again: short, except for what its client has sent. */
  readonly view?: string | undefined;
};

/** What makes it possible to run a job later, by another process if need be. */
export type BackgroundClaim = {
  /** The request as text. It is deleted when its first paid call is sent. */
  readonly request: string;
  /** Names its inputs, which are kept until it has ended. */
  readonly inputs: string | undefined;
  /** So many jobs of one consumer may be open. */
  readonly maxOpen: number;
};

/**
 * What a claim gets: a job of its own, one that runs (here or in another process), one that has ended, or nothing, because
 * its key belongs to a different request, or because its consumer has too many open jobs. `isRepeat`: the new job repeats one
 * that may have been billed.
 */
export type Claimed =
  | { readonly kind: 'new'; readonly lease: JobLease; readonly isRepeat: boolean }
  | { readonly kind: 'running'; readonly job: JobId }
  | { readonly kind: 'ended'; readonly job: JobId; readonly end: JobEnd }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'full' };

/** One paid call of a job: plain data, which holds no prompt and no credential. */
export type JobAttempt = {
  /** Which piece of the request it is for, from 0; a retry has the piece of the call that it repeats. */
  readonly leg: number;
  readonly target: string;
  /** `dispatched` until it is known how it ended; one that has succeeded stays that until the job ends. */
  readonly state: 'dispatched' | Outcome;
  readonly handle?: UpstreamHandle;
  readonly upstreamRequestId?: string;
  /** The ids that its images get when they are stored, drawn before the call: as many as were asked for. */
  readonly images: readonly ImageId[];
  /** What the upstream was asked for. */
  readonly asked: ImageFacts;
  /** What its images are converted to. */
  readonly conversion?: Conversion;
};

/** What was reported about a response. */
export type StoredReport = {
  readonly model: string;
  readonly target: string | undefined;
  readonly provider: string | undefined;
  readonly asked: ImageFacts;
  readonly adaptations: readonly string[];
  readonly attempts: number;
  readonly sent: boolean;
  readonly maxRetries: number;
  readonly timeoutMs: number;
};

/**
 * An event of a stored response: an image stands for its bytes, which are in the image store; without `image` they could not
 * be stored.
 */
export type StoredEvent =
  | (Omit<ImageEnd, 'type' | 'partialIndex' | 'stored'> & {
      readonly type: 'image';
      readonly image?: StoredImage;
      /** How many partial images of it came before. */
      readonly partials?: number;
    })
  | Extract<ImageEvent, { type: 'url' | 'done' }>;

/** A response without its images' bytes: from the same record the same response is written again, byte for byte. */
export type StoredResponse = {
  readonly report: StoredReport;
  /** How clients get the images that do not say how. */
  readonly delivery: Delivery;
  /** How its own client has wanted them, if it has said so, or its operator has. */
  readonly asked?: Delivery;
  readonly events: readonly StoredEvent[];
};

/** A failure as it is told again. */
export type StoredFailure = {
  readonly report: StoredReport;
  readonly kind: ErrorKind;
  readonly message: string;
  readonly outcome?: Outcome;
  readonly param?: string;
  readonly moderation?: ModerationDetails;
};

/** How a job ended. */
export type JobEnd =
  | { readonly name: 'done'; readonly response: StoredResponse }
  | {
      readonly name: 'refused' | 'failed' | 'not_processed' | 'unknown' | 'cancelled';
      readonly failure: StoredFailure;
    };

/** A job whose owner has died or given it up, and which is this process's now. */
export type TakenJob = Pick<JobClaim, 'consumer' | 'operation' | 'model' | 'count'> & {
  readonly lease: JobLease;
  /** It has an `Idempotency-Key`. */
  readonly isKeyed: boolean;
  readonly isRetrievable: boolean;
  readonly isBackground: boolean;
  /** It repeats one that may have been billed. */
  readonly isRepeat: boolean;
  /** Of a job in the background, of which nothing was sent yet. */
  readonly request: string | undefined;
  readonly inputs: string | undefined;
  readonly attempts: readonly JobAttempt[];
  /** When it was claimed, in milliseconds since 1970. */
  readonly createdAt: number;
};

/** Where a job is. `queued`: none of its calls was sent. */
export type JobState = 'queued' | 'running' | JobEnd['name'];

/** A job as its consumer may see it. Times are in milliseconds since 1970. */
export type Job = Pick<JobClaim, 'consumer' | 'operation' | 'model' | 'count' | 'view'> & {
  readonly id: JobId;
  readonly state: JobState;
  readonly isBackground: boolean;
  readonly createdAt: number;
  /** Set once it has ended. */
  readonly end: JobEnd | undefined;
  readonly endedAt: number | undefined;
  /** From then on it is not found any more. */
  readonly expiresAt: number | undefined;
};

export type JobQuery = {
  readonly consumer: string;
  /** `undefined`: in any of them. */
  readonly states: readonly JobState[] | undefined;
  readonly model: string | undefined;
  /** The newest first, or the oldest. */
  readonly order: 'desc' | 'asc';
  /** Only those behind this one, which must be one of the consumer's. */
  readonly after: JobId | undefined;
  readonly limit: number;
};

/** The jobs that their consumers can retrieve. Every method may reject with a GatewayError `store_unavailable`. */
export interface JobRecords {
  /** `undefined`: it is not one of the consumer's, or not any more. */
  find(consumer: string, job: JobId): Promise<Job | undefined>;
  /** The job of an `Idempotency-Key`. */
  findByKey(consumer: string, operation: Operation, key: string): Promise<Job | undefined>;
  list(query: JobQuery): Promise<readonly Job[]>;
  /** A job that runs for a client, and was promised to another one that does not wait: it becomes one in the background. */
  promote(job: JobId, request: string | undefined): Promise<void>;
  /** Removes a job that has ended, and gives the ids of its images. `undefined`: there is none to remove. */
  remove(consumer: string, job: JobId): Promise<readonly ImageId[] | undefined>;
  /**
   * Finds a job for a client that knows its id. Until then, a job in the background may be one whose id was lost on its way: a
   * retry of an equal request without a key gets it, too.
   */
  retrieve(consumer: string, job: JobId): Promise<Job | undefined>;
  /** Asks the process that runs the job to cancel it. */
  requestCancel(job: JobId): Promise<void>;
  /** Jobs of this process that others want to cancel; each is named once. */
  cancelRequests(): Promise<readonly JobId[]>;
  /** The inputs of all jobs that run or wait. */
  inputsInUse(): Promise<readonly string[]>;
}

/** The images of one job, with the time when it ended. */
export type DeliveredImages = { readonly images: readonly ImageId[]; readonly endedAt: number };

/** Transactions since the start, and the changes that they were made of. */
export type JobTransactions = { readonly commits: number; readonly changes: number };

/** For metrics. */
export type JobStoreFigures = JobTransactions & {
  /** Jobs that are recorded, by state. */
  readonly rows: Readonly<Record<string, number>>;
};

/**
 * Where jobs are recorded, so that an image is paid for once: a claim finds the job of an equal request, and no paid call is
 * sent before its row says so. Every method may reject with a GatewayError `store_unavailable` or `storage_full` (outcome
 * `not-processed`). Writers show their lease: a job that another process has taken over rejects with `store_unavailable`.
 */
export interface JobStore {
  /** For how long a job without readers runs on, in milliseconds; Infinity: until its own deadline. */
  readonly orphanMs: number;
  /** What is asked of it, and of the ledger beside it, is recorded in that order, or together. */
  readonly keepsOrder?: boolean;
  readonly records: JobRecords;
  claim(claim: JobClaim): Promise<Claimed>;
  /** How a job ended; `undefined` while it runs, `'gone'` when it is not recorded any more. */
  read(job: JobId): Promise<JobEnd | undefined | 'gone'>;
  /**
   * Awaited before each paid call of the job. The attempts replace those that were recorded before.
   * @param isRepeated whether one of them repeats another that may have been billed
   */
  dispatch(lease: JobLease, attempts: readonly JobAttempt[], isRepeated: boolean): Promise<void>;
  /** Awaited before the first poll: by the handle, accepted work can be followed by another process. */
  note(lease: JobLease, attempts: readonly JobAttempt[]): Promise<void>;
  /** The job, which has no key, has lost its client: it is kept for that client's retry. */
  orphan(lease: JobLease): Promise<void>;
  /**
   * Ends the job. A job that was taken over, and called `unknown` by its new owner, still becomes `done`: late evidence heals
   * it.
   * @param isRefused its client got the failure as the response to its request, and no id: nobody looks for the job
   */
  finish(lease: JobLease, end: JobEnd, isRefused?: boolean): Promise<void>;
  /** The job, which has no key, has ended, and nobody can ask for it again. Never rejects. */
  forget(lease: JobLease): void;
  /** The response has reached a client, so that its images may be evicted earlier. It is recorded a moment later. */
  delivered(job: JobId): void;
  /** A client that has rejoined the job, which has no key, has left without the response: its next retry may have it. Never rejects. */
  putBack(job: JobId): void;
  /** Gives a running job up, so that another process takes it over at once. */
  release(lease: JobLease): Promise<void>;
  /** Takes over the running jobs of owners that have died or given them up. */
  takeOver(): Promise<readonly TakenJob[]>;
  /** The images of all jobs whose responses have reached a client; read in pages, because there may be millions. */
  deliveredImages(): AsyncIterable<DeliveredImages>;
  /** Known without a query, also while the database is away. */
  readonly transactions: JobTransactions;
  /** Counts all rows: that takes long where there are many. */
  figures(): Promise<JobStoreFigures>;
  close(): Promise<void>;
}
