import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { beginJob, readJob } from './accept-job.ts';
import { jsonBody } from './answer-body.ts';
import { azureError, legacyError, type PlainAnswer, resourceNotFound } from './azure-errors.ts';
import { requireKey } from './check-credentials.ts';
import { extraMembers } from './extra-members.ts';
import { familyOf } from './families.ts';
import { type ImageJob, imageOrdersOf } from './image-job.ts';
import { acceptedHeaders, operationPathOf, operationPaths, retryAfter } from './operation-location.ts';
import { isEndStatus, type Operation, operationBody, operationStatus } from './operations.ts';
import { otherOrigin, requestOrigin } from './origins.ts';
import { objectBody } from './request-body.ts';
import { ofPoll, sendJson, sendPlain } from './send-answer.ts';
import { countReceived, type SimulatedWorld } from './simulated-world.ts';

const keptOperations = 10_000;
const apiVersions: readonly unknown[] = [
  '2023-06-01-preview',
  '2023-07-01-preview',
  '2023-08-01-preview',
  '2023-09-01-preview',
  '2023-10-01-preview',
];

// CONTRACTS §3.1: an operation can be deleted in an end state only.
const stillRunning = legacyError(azureError(409, 'Conflict', 'The operation has not ended yet.'));

type OperationRequest = FastifyRequest<{ Params: { id: string } }>;

// The request's legacy api-version. CONTRACTS §3.1 lists them; under any other one there is no such resource.
function legacyApiVersion(request: FastifyRequest): string | undefined {
  const apiVersion = (request.query as Record<string, unknown>)['api-version'];
  return apiVersions.includes(apiVersion) ? String(apiVersion) : undefined;
}

/** Adds the legacy flow: submit, poll, delete (CONTRACTS §3.1). */
export function addAzureAsync(app: FastifyInstance, world: SimulatedWorld): void {
  const operations = new Map<string, Operation>();
  const onRequest = requireKey(world);
  // Two colons, because one would begin a parameter.
  app.post('/openai/images/generations::submit', { onRequest, preHandler: countReceived(world) }, (request, reply) =>
    submit(request, reply, operations, world),
  );
  for (const path of operationPaths) {
    app.get<{ Params: { id: string } }>(`${path}:id`, { onRequest }, (request, reply) =>
      poll(request, reply, findOperation(operations, path, request), world),
    );
    app.delete<{ Params: { id: string } }>(`${path}:id`, { onRequest }, async (request, reply) => {
      const operation = findOperation(operations, path, request);
      if (operation === undefined) return sendPlain(reply, legacyError(resourceNotFound()));
      if (!isEndStatus(statusOf(operation, world))) return sendPlain(reply, stillRunning);
      operations.delete(operation.id);
      return reply.code(204).send();
    });
  }
}

async function submit(
  request: FastifyRequest,
  reply: FastifyReply,
  operations: Map<string, Operation>,
  world: SimulatedWorld,
) {
  const apiVersion = legacyApiVersion(request);
  const family = familyOf('dall-e-2');
  if (apiVersion === undefined || family === undefined) return sendPlain(reply, legacyError(resourceNotFound()));
  const { model, ...body } = objectBody(request);
  // CONTRACTS §3.1: `model` is among the members; with one model behind the flow its value changes nothing.
  if (model !== undefined && typeof model !== 'string') {
    return sendPlain(reply, legacyError(azureError(400, 'invalidPayload', "Invalid value for 'model'.")));
  }
  const job = readJob(body, { flow: 'azure-async', family, deployment: 'dall-e-2' });
  if ('status' in job) return sendPlain(reply, legacyError(job));
  if (!(await beginJob(job, apiVersion, world, request, reply))) return reply;
  const operation = startOperation(job, apiVersion);
  keep(operations, operation);
  operation.images.push(...imageOrdersOf(job).map((order) => world.shelf.shelve(order, job.scenario)));
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

function spellingOf({ scenario }: ImageJob): 'usual' | 'escaped' {
  return scenario.name === 'escaped' ? 'escaped' : 'usual';
}

// An operation is found on the path its operation-location named, and on no other.
function findOperation(operations: Map<string, Operation>, path: string, request: OperationRequest) {
  const operation = operations.get(request.params.id);
  return operation?.path === path && legacyApiVersion(request) !== undefined ? operation : undefined;
}

function statusOf({ job, startedAt }: Operation, { operationMs }: SimulatedWorld) {
  return operationStatus(job.scenario.name, Date.now() - startedAt, operationMs);
}

async function poll(
  request: OperationRequest,
  reply: FastifyReply,
  operation: Operation | undefined,
  world: SimulatedWorld,
) {
  // CONTRACTS §3.1: an unknown id is presumably answered 404.
  if (operation === undefined) return sendPlain(reply, legacyError(resourceNotFound()));
  operation.polls += 1;
  const { job } = operation;
  const hindrance = hindranceOf(operation, request);
  if (hindrance !== undefined) return sendPlain(reply, legacyError(hindrance));
  const body = operationBody(operation, statusOf(operation, world), requestOrigin(request));
  reply.headers(retryAfter(job));
  return sendJson(reply, 200, jsonBody(body, [], spellingOf(job)), ofPoll(job.scenario));
}

/** What keeps a poll from its answer. */
function hindranceOf({ job, polls }: Operation, request: FastifyRequest): PlainAnswer | undefined {
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
