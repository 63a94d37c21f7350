import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { azureError, legacyError, type PlainResponse, resourceNotFound } from './azure-errors.ts';
import { familyOf } from './families.ts';
import { type ImageJob, imageOrdersOf } from './image-job.ts';
import { extraMembers } from './images-response.ts';
import { objectBody, otherOrigin, requestOrigin } from './incoming-request.ts';
import {
  acceptedHeaders,
  isEndStatus,
  type Operation,
  operationBody,
  operationPathOf,
  operationPaths,
  operationStatus,
  retryAfter,
} from './operations.ts';
import { countReceived, requireKey, type SimulatorState } from './request-hooks.ts';
import { jsonBody } from './response-bytes.ts';
import { beginJob, readJob } from './run-job.ts';
import { ofPoll, sendJson, sendPlain } from './send-response.ts';

const keptOperations = 10_000;
const apiVersions: readonly unknown[] = [
  '2023-06-01-preview',
  '2023-07-01-preview',
  '2023-08-01-preview',
  '2023-09-01-preview',
  '2023-10-01-preview',
];

// An operation can be deleted in an end state only.
const stillRunning = legacyError(azureError(409, 'Conflict', 'The operation has not ended yet.'));

type OperationRequest = FastifyRequest<{ Params: { id: string } }>;

// Under any other api-version there is no such resource.
function legacyApiVersion(request: FastifyRequest): string | undefined {
  const apiVersion = (request.query as Record<string, unknown>)['api-version'];
  return apiVersions.includes(apiVersion) ? String(apiVersion) : undefined;
}

/** Adds the legacy flow: submit, poll, delete. */
export function addAzureAsync(app: FastifyInstance, state: SimulatorState): void {
  const operations = new Map<string, Operation>();
  const onRequest = requireKey(state);
  // Two colons, because one would begin a parameter.
  app.post('/openai/images/generations::submit', { onRequest, preHandler: countReceived(state) }, (request, reply) =>
    submit(request, reply, operations, state),
  );
  for (const path of operationPaths) {
    app.get<{ Params: { id: string } }>(`${path}:id`, { onRequest }, (request, reply) =>
      poll(request, reply, findOperation(operations, path, request), state),
    );
    app.delete<{ Params: { id: string } }>(`${path}:id`, { onRequest }, async (request, reply) => {
      const operation = findOperation(operations, path, request);
      if (operation === undefined) return sendPlain(reply, legacyError(resourceNotFound()));
      if (!isEndStatus(statusOf(operation, state))) return sendPlain(reply, stillRunning);
      operations.delete(operation.id);
      return reply.code(204).send();
    });
  }
}

async function submit(
  request: FastifyRequest,
  reply: FastifyReply,
  operations: Map<string, Operation>,
  state: SimulatorState,
) {
  const apiVersion = legacyApiVersion(request);
  const family = familyOf('dall-e-2');
  if (apiVersion === undefined || family === undefined) return sendPlain(reply, legacyError(resourceNotFound()));
  const { model, ...body } = objectBody(request);
  // `model` is among the members; with one model behind the flow its value changes nothing.
  if (model !== undefined && typeof model !== 'string') {
    return sendPlain(reply, legacyError(azureError(400, 'invalidPayload', "Invalid value for 'model'.")));
  }
  const job = readJob(body, { flow: 'azure-async', family, deployment: 'dall-e-2' });
  if ('status' in job) return sendPlain(reply, legacyError(job));
  if (!(await beginJob(job, apiVersion, state, request, reply))) return reply;
  const operation = startOperation(job, apiVersion);
  keep(operations, operation);
  operation.images.push(...imageOrdersOf(job).map((order) => state.images.put(order, job.scenario)));
  reply.headers(acceptedHeaders(operation, apiVersion, requestOrigin(request)));
  const extra = job.scenario.name === 'extra-fields' ? extraMembers() : {};
  const accepted = { ...extra, id: operation.id, status: 'notRunning' };
  return sendJson(reply, 202, jsonBody(accepted, [], spellingOf(job)), job.scenario);
}

function startOperation(job: ImageJob, apiVersion: string): Operation & { images: string[] } {
  return { id: randomUUID(), path: operationPathOf(apiVersion), job, startedAt: Date.now(), images: [], polls: 0 };
}

function keep(operations: Map<string, Operation>, operation: Operation): void {
  operations.set(operation.id, operation);
  const oldest = operations.keys().next().value;
  if (operations.size > keptOperations && oldest !== undefined) operations.delete(oldest);
}

function spellingOf({ scenario }: ImageJob): 'compact' | 'escaped' {
  return scenario.name === 'escaped' ? 'escaped' : 'compact';
}

// An operation is found on the path its operation-location named, and on no other.
function findOperation(operations: Map<string, Operation>, path: string, request: OperationRequest) {
  const operation = operations.get(request.params.id);
  return operation?.path === path && legacyApiVersion(request) !== undefined ? operation : undefined;
}

function statusOf({ job, startedAt }: Operation, { operationMs }: SimulatorState) {
  return operationStatus(job.scenario.name, Date.now() - startedAt, operationMs);
}

async function poll(
  request: OperationRequest,
  reply: FastifyReply,
  operation: Operation | undefined,
  state: SimulatorState,
) {
  // Not documented; presumably a 404.
  if (operation === undefined) return sendPlain(reply, legacyError(resourceNotFound()));
  operation.polls += 1;
  const { job } = operation;
  const failure = pollFailure(operation, request);
  if (failure !== undefined) return sendPlain(reply, legacyError(failure));
  const body = operationBody(operation, statusOf(operation, state), requestOrigin(request));
  reply.headers(retryAfter(job));
  return sendJson(reply, 200, jsonBody(body, [], spellingOf(job)), ofPoll(job.scenario));
}

/** The failure that a scenario gives this poll, if any. */
function pollFailure({ job, polls }: Operation, request: FastifyRequest): PlainResponse | undefined {
  const { name, value } = job.scenario;
  if (name === 'operation-lost') return resourceNotFound();
  if (name === 'operation-redirect') {
    return { status: 302, headers: { location: `${otherOrigin(request)}/redirected` }, body: undefined };
  }
  if (polls > value) return undefined;
  if (name === 'operation-404') return resourceNotFound();
  if (name === 'operation-poll-500') return azureError(500, 'InternalServerError', 'The server had an error.');
  if (name !== 'operation-poll-429') return undefined;
  return { ...azureError(429, '429', 'Too many polls.'), headers: { 'retry-after-ms': '50' } };
}
