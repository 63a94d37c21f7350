import { jobPhase } from '../job-phase.ts';
import type { ResponseJob } from './response-job.ts';
import { outcomeOf, type ResponseStatus } from './response-outcome.ts';

/** A response that may be asked for again. */
export type StoredResponse = { readonly job: ResponseJob; polls: number; isCancelled: boolean };

/** The memory of the responses that were to be stored. */
export type ResponseShelf = {
  keep(job: ResponseJob): void;
  /** Finds a response where it was made: in its project, or at the resource. */
  find(id: string, project: string | undefined): StoredResponse | undefined;
};

const keptResponses = 1000;

/** Puts up an empty shelf. */
export function createResponseShelf(): ResponseShelf {
  const responses = new Map<string, StoredResponse>();
  return {
    keep(job) {
      responses.set(job.id, { job, polls: 0, isCancelled: false });
      const oldest = responses.keys().next().value;
      if (responses.size > keptResponses && oldest !== undefined) responses.delete(oldest);
    },
    find(id, project) {
      const found = responses.get(id);
      return found?.job.project === project ? found : undefined;
    },
  };
}

/** The state of a stored response now; one in background takes so many milliseconds. */
export function statusOf({ job, isCancelled }: StoredResponse, operationMs: number): ResponseStatus {
  if (isCancelled) return 'cancelled';
  const { status } = outcomeOf(job);
  if (!job.inBackground) return status;
  const phase = jobPhase(Date.now() - job.createdAt, operationMs);
  if (phase === 'queued') return 'queued';
  return phase === 'running' || job.image.scenario.name === 'agent-stuck' ? 'in_progress' : status;
}
