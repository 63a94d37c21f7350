import { parseJson } from '../../../codec/json-text.ts';
import type { Job } from '../../../domain/job-store.ts';
import { seconds } from '../jobs/job-object.ts';
import { plainEcho, type ResponseEcho } from './response-echo.ts';
import type { ResponseFacts } from './response-object.ts';

/** What a job has to remember so that it can be shown as a response. */
export type ResponseView = {
  readonly echo: ResponseEcho;
  /** False: its client does not want it to be found again. */
  readonly isStored: boolean;
};

/** As it is recorded with the job. */
export function textOfView(view: ResponseView): string {
  return JSON.stringify({ response: view });
}

/** A job that was started by another API is a response as well, of which only the image is known. */
export function viewOf({ view }: Pick<Job, 'view'>): ResponseView {
  const recorded = view === undefined ? undefined : (parseJson(view) as { response?: ResponseView } | undefined);
  return recorded?.response ?? { echo: plainEcho, isStored: true };
}

/** What is known of a job's response from its beginning. */
export function factsOf(job: Pick<Job, 'id' | 'model' | 'createdAt' | 'operation'>, echo: ResponseEcho): ResponseFacts {
  const { id, model, createdAt, operation } = job;
  return { job: id, model, createdAt: seconds(createdAt), action: operation, echo };
}
