import type { Operation } from '../../domain/image-request.ts';
import type { ImageId } from '../../domain/image-store.ts';
import type { Job, JobAttempt, JobId, JobQuery, JobRecords } from '../../domain/job-store.ts';
import { claimOfKey } from './claim-values.ts';
import type { JobOwner } from './job-owner.ts';
import { type OperationRunner, runOrFail } from './operations.ts';
import type { RecordRow } from './record-rows.ts';

/** The jobs of a database that their consumers can retrieve. */
export class SqlJobRecords implements JobRecords {
  readonly #runner: OperationRunner;
  readonly #owner: JobOwner;

  constructor(runner: OperationRunner, owner: JobOwner) {
    this.#runner = runner;
    this.#owner = owner;
  }

  async find(consumer: string, job: JobId): Promise<Job | undefined> {
    return jobOf(consumer, await runOrFail(this.#runner, 'find', job, consumer, this.#now));
  }

  async retrieve(consumer: string, job: JobId): Promise<Job | undefined> {
    return jobOf(consumer, await runOrFail(this.#runner, 'retrieve', job, consumer, this.#now));
  }

  async findByKey(consumer: string, operation: Operation, key: string): Promise<Job | undefined> {
    return jobOf(consumer, await runOrFail(this.#runner, 'findClaim', claimOfKey(operation, key), consumer, this.#now));
  }

  async list(query: JobQuery): Promise<readonly Job[]> {
    const rows = await runOrFail(this.#runner, 'list', query, this.#now);
    return rows.map((row) => jobOf(query.consumer, row) as Job);
  }

  async promote(job: JobId, request: string | undefined): Promise<void> {
    await runOrFail(this.#runner, 'promote', job, request ?? null);
  }

  async remove(consumer: string, job: JobId): Promise<readonly ImageId[] | undefined> {
    const attempts = await runOrFail(this.#runner, 'remove', job, consumer, this.#now);
    return attempts === undefined ? undefined : (JSON.parse(attempts) as JobAttempt[]).flatMap(({ images }) => images);
  }

  async requestCancel(job: JobId): Promise<void> {
    await runOrFail(this.#runner, 'requestCancel', job);
  }

  async cancelRequests(): Promise<readonly JobId[]> {
    return await runOrFail(this.#runner, 'cancelRequests', this.#owner.id);
  }

  async inputsInUse(): Promise<readonly string[]> {
    return await runOrFail(this.#runner, 'inputsInUse');
  }

  get #now(): number {
    return this.#owner.now();
  }
}

function jobOf(consumer: string, row: RecordRow | undefined): Job | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id,
    consumer,
    operation: row.operation as Operation,
    model: row.model,
    count: row.images,
    view: row.view ?? undefined,
    state: row.state,
    isBackground: row.background === 1,
    createdAt: row.created_at,
    end: row.response === null ? undefined : JSON.parse(row.response),
    endedAt: row.ended_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
  };
}
