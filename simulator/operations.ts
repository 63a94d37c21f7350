import { filteredImage, filteredTask } from './azure-errors.ts';
import { extraMembers } from './extra-members.ts';
import type { ImageJob } from './image-job.ts';
import { jobPhase } from './job-phase.ts';
import { imageLink } from './private-images.ts';

/** The states of a legacy operation (CONTRACTS §3.1), and one that Azure does not have. */
export type OperationStatus = 'notRunning' | 'running' | 'succeeded' | 'failed' | 'canceled' | 'deleted' | 'paused';

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

/** The status of an operation of so many milliseconds after so many. */
export function operationStatus(scenarioName: string, elapsedMs: number, operationMs: number): OperationStatus {
  const phase = jobPhase(elapsedMs, operationMs);
  if (phase !== 'over') return phase === 'queued' ? 'notRunning' : 'running';
  return lastStatus[scenarioName] ?? 'succeeded';
}

/** Says whether an operation in this status may be deleted: CONTRACTS §3.1, only in an end state. */
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

/** The JSON value that a poll answers (CONTRACTS §3.1, poll). */
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
  // CONTRACTS §3.1: one documentation example has `data` at the top, everything else has it in `result`.
  return name === 'operation-top-level-data' ? { ...body, data } : { ...body, result: { created, data } };
}
