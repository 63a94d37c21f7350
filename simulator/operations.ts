import { filteredImage, filteredTask } from './azure-errors.ts';
import type { ImageJob } from './image-job.ts';
import { extraMembers } from './images-response.ts';
import { imageLink } from './private-images.ts';

/** The states of a legacy operation, and one that Azure does not have. */
type OperationStatus = 'notRunning' | 'running' | 'succeeded' | 'failed' | 'canceled' | 'deleted' | 'paused';

/** One accepted legacy job. `startedAt` is in milliseconds since 1970, `path` where it may be polled. */
export type Operation = {
  readonly id: string;
  readonly path: string;
  readonly job: ImageJob;
  readonly startedAt: number;
  /** Path and query of each image's link. */
  readonly images: readonly string[];
  polls: number;
};

const lastStatus: Partial<Record<string, OperationStatus>> = {
  'operation-failed': 'failed',
  'operation-filtered': 'failed',
  'operation-canceled': 'canceled',
  'operation-deleted': 'deleted',
  'operation-unknown-status': 'paused',
  'operation-never': 'running',
};

/** The status of an operation that takes `operationMs` in all. */
export function operationStatus(scenarioName: string, elapsedMs: number, operationMs: number): OperationStatus {
  const phase = jobPhase(elapsedMs, operationMs);
  if (phase !== 'over') return phase === 'queued' ? 'notRunning' : 'running';
  return lastStatus[scenarioName] ?? 'succeeded';
}

/** Says whether an operation in this status may be deleted: only in an end state. */
export function isEndStatus(status: OperationStatus): boolean {
  return status !== 'notRunning' && status !== 'running' && status !== 'paused';
}

const day = 24 * 60 * 60;
const megabyte = 1024 * 1024;
const internalError = { code: 'InternalServerError', message: 'The operation could not be completed.' };

function itemsOf({ job, images }: Operation, origin: string): unknown[] {
  if (job.scenario.name === 'operation-empty') return [];
  const items: unknown[] = images.map((image) => ({ url: imageLink(origin, image, job.scenario) }));
  return job.scenario.name === 'operation-item-filtered' ? items.with(-1, { error: filteredImage }) : items;
}

/** The body of a poll's response. */
export function operationBody(operation: Operation, status: OperationStatus, origin: string): Record<string, unknown> {
  const { id, startedAt } = operation;
  const { name, value } = operation.job.scenario;
  const created = Math.floor(startedAt / 1000);
  const body: Record<string, unknown> = { created, id, status };
  if (name === 'operation-big') body.padding = 'x'.repeat(value * megabyte);
  if (name === 'extra-fields') Object.assign(body, extraMembers());
  if (status === 'failed') body.error = name === 'operation-filtered' ? filteredTask : internalError;
  if (status !== 'succeeded') return body;
  const data = itemsOf(operation, origin);
  body.expires = created + day;
  // One documentation example has `data` at the top, everything else has it in `result`.
  return name === 'operation-top-level-data' ? { ...body, data } : { ...body, result: { created, data } };
}

const ordinaryPath = '/openai/operations/images/';
const laterPath = '/openai/dalle/operations/images/';

/** The two paths below which operations are polled and deleted. */
export const operationPaths = [ordinaryPath, laterPath] as const;

/** The path at which an operation lives that was submitted under this api-version. */
export function operationPathOf(apiVersion: string): string {
  return apiVersion === '2023-10-01-preview' ? laterPath : ordinaryPath;
}

/** The headers of the 202. 2023-10-01-preview points to another path and to another api-version. */
export function acceptedHeaders({ id, path, job }: Operation, apiVersion: string, origin: string) {
  const polledVersion = path === laterPath ? '2023-08-01-preview' : apiVersion;
  const pathAndQuery = `${path}${id}?api-version=${polledVersion}`;
  switch (job.scenario.name) {
    case 'operation-no-header':
      return {};
    case 'operation-foreign-host':
      return { 'operation-location': `https://gateway.example.invalid${pathAndQuery}` };
    case 'operation-outside':
      return { 'operation-location': `${origin}/outside/${id}?api-version=${polledVersion}` };
    case 'operation-relative':
      return { 'operation-location': pathAndQuery };
    default:
      return { 'operation-location': `${origin}${pathAndQuery}`, ...retryAfter(job) };
  }
}

/** The wait that a scenario asks for on the 202 and on every poll. */
export function retryAfter({ scenario }: ImageJob): Record<string, string> {
  return scenario.name === 'operation-retry-after' ? { 'retry-after': String(scenario.value) } : {};
}

/** How far an asynchronous job has come. */
type JobPhase = 'queued' | 'running' | 'over';

/** The phase of a job that takes `jobMs` in all: a third of it queued, the rest running. */
export function jobPhase(elapsedMs: number, jobMs: number): JobPhase {
  if (elapsedMs < jobMs / 3) return 'queued';
  return elapsedMs < jobMs ? 'running' : 'over';
}
