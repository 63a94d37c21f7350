import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { azureError, resourceNotFound } from '../azure-errors.ts';
import { apiVersionOf, isV1Version, objectBody } from '../incoming-request.ts';
import { countReceived, requireKey, requireProjectToken, type SimulatorState } from '../request-hooks.ts';
import { beginJob } from '../run-job.ts';
import { ofPoll, sendJson, sendPlain } from '../send-response.ts';
import { sendStream } from '../send-stream.ts';
import { readRequest } from './read-request.ts';
import { responseBody } from './response-body.ts';
import { notInBackground, responseNotFound } from './response-errors.ts';
import { responseSteps } from './response-events.ts';
import {
  createResponseStore,
  outcomeOf,
  type ResponseJob,
  type ResponseStore,
  type StoredResponse,
  statusOf,
} from './response-job.ts';

// Images to edit come in the body, as data URLs.
const largestBody = 64 * 1024 * 1024;

/** Adds the Responses API with the image generation tool: create, poll, cancel. */
export function addAzureResponses(app: FastifyInstance, state: SimulatorState): void {
  const store = createResponseStore();
  const find = (request: FastifyRequest<{ Params: { id: string } }>) =>
    store.find(request.params.id, projectOf(request));
  for (const place of responsePlaces) {
    const onRequest = [place.isInProject ? requireProjectToken(state) : requireKey(state), requireVersion(place)];
    const hooks = { onRequest, preHandler: countReceived(state), bodyLimit: largestBody };
    app.post(place.path, hooks, (request, reply) => createResponse(place, store, state, request, reply));
    app.get<{ Params: { id: string } }>(`${place.path}/:id`, { onRequest }, (request, reply) =>
      pollResponse(find(request), request.params.id, reply, state),
    );
    app.post<{ Params: { id: string } }>(`${place.path}/:id/cancel`, { onRequest }, (request, reply) =>
      cancelResponse(find(request), request.params.id, reply, state),
    );
  }
}

/** Accepts a request and responds to it, whole, as a stream, or as a job in the background, as its scenario wants. */
async function createResponse(
  { isInProject }: ResponsePlace,
  store: ResponseStore,
  state: SimulatorState,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const deployment = request.headers['x-ms-oai-image-generation-deployment'];
  const order = await readRequest(objectBody(request), {
    isInProject,
    published: publishedAgentOf(request),
    deployment,
  });
  if ('status' in order) return sendPlain(reply, order);
  const { image, inBackground, isStored } = order;
  const apiVersion = String(apiVersionOf(request) ?? 'v1');
  if (!(await beginJob(image, apiVersion, state, request, reply))) return reply;
  const job: ResponseJob = {
    ...order,
    id: `resp_${randomUUID().replaceAll('-', '')}`,
    createdAt: Date.now(),
    project: projectOf(request),
    requestId: String(reply.getHeader('apim-request-id')),
  };
  if (isStored) store.keep(job);
  if (image.stream && image.scenario.name !== 'stream-json') {
    return sendStream(reply, await responseSteps(job), image.scenario, state.partialMs);
  }
  const status = inBackground ? 'queued' : outcomeOf(job).status;
  return sendJson(reply, 200, await responseBody(job, status), image.scenario);
}

/** Sends the state of a stored response. */
async function pollResponse(
  stored: StoredResponse | undefined,
  id: string,
  reply: FastifyReply,
  state: SimulatorState,
): Promise<FastifyReply> {
  if (stored === undefined || isLost(stored)) return sendPlain(reply, responseNotFound(id));
  const { name, value } = stored.job.image.scenario;
  stored.polls += 1;
  if (name === 'agent-poll-500' && stored.polls <= value) {
    return sendPlain(reply, azureError(500, 'InternalServerError', 'The server had an error.'));
  }
  return sendStored(stored, reply, state);
}

/** Cancels a response in background. Once it has ended, or was cancelled, nothing changes. */
async function cancelResponse(
  stored: StoredResponse | undefined,
  id: string,
  reply: FastifyReply,
  state: SimulatorState,
): Promise<FastifyReply> {
  if (stored === undefined || isLost(stored)) return sendPlain(reply, responseNotFound(id));
  if (!stored.job.inBackground) return sendPlain(reply, notInBackground());
  const status = statusOf(stored, state.operationMs);
  if (status === 'queued' || status === 'in_progress') {
    stored.isCancelled = true;
    state.ledger.noteCancelled();
  }
  return sendStored(stored, reply, state);
}

function isLost({ job }: StoredResponse): boolean {
  return job.image.scenario.name === 'agent-lost';
}

async function sendStored(stored: StoredResponse, reply: FastifyReply, state: SimulatorState): Promise<FastifyReply> {
  const body = await responseBody(stored.job, statusOf(stored, state.operationMs));
  return sendJson(reply, 200, body, ofPoll(stored.job.image.scenario));
}

/** Where responses are made and found. */
type ResponsePlace = {
  readonly path: string;
  /** Agents and tokens of their own are a project's. */
  readonly isInProject: boolean;
  serves(apiVersion: unknown): boolean;
};

/** Of a resource, of a project, of a project as earlier documents have it, and of a published agent, in two spellings. */
const responsePlaces: readonly ResponsePlace[] = [
  { path: '/openai/v1/responses', isInProject: false, serves: isV1Version },
  { path: '/api/projects/:project/openai/v1/responses', isInProject: true, serves: isV1Version },
  { path: '/api/projects/:project/openai/responses', isInProject: true, serves: isAnyVersion },
  ...['agents/:agent/endpoint', 'applications/:agent'].map((agent) => ({
    path: `/api/projects/:project/${agent}/protocols/openai/responses`,
    isInProject: true,
    serves: (version: unknown) => version === undefined || isAnyVersion(version),
  })),
];

function isAnyVersion(version: unknown): boolean {
  return typeof version === 'string' && /^(?:v1|\d{4}-\d{2}-\d{2}(?:-preview)?)$/.test(version);
}

/** Makes the check of the api-version. */
function requireVersion({ serves }: ResponsePlace) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> =>
    serves(apiVersionOf(request)) ? undefined : sendPlain(reply, resourceNotFound());
}

/** The agent whose own address the path is; undefined where it is a project's or a resource's. */
function publishedAgentOf({ params }: FastifyRequest): string | undefined {
  return (params as { agent?: string }).agent;
}

/** The project that the path names; undefined where it names none. */
function projectOf({ params }: FastifyRequest): string | undefined {
  return (params as { project?: string }).project;
}
