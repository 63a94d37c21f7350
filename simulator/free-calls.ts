import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { azureError, type PlainResponse, resourceNotFound } from './azure-errors.ts';
import { families, familyOf } from './families.ts';
import { apiVersionOf, isV1Version } from './incoming-request.ts';
import { requireKey, requireProjectToken, type SimulatorState } from './request-hooks.ts';
import { chatModel, knowsAgent } from './responses/read-request.ts';
import { agentNotFound } from './responses/response-errors.ts';
import { sendPlain } from './send-response.ts';

type Named = FastifyRequest<{ Params: { name: string } }>;

/**
 * Adds what can be asked without being billed: the lists of models of a resource (reference `Models - List`), and the
 * deployments and agents of a project (reference of Foundry). The errors of these paths are not documented: they are those of
 * the other paths.
 */
export function addFreeCalls(app: FastifyInstance, state: SimulatorState): void {
  const ofResource = { onRequest: requireKey(state) };
  const ofProject = { onRequest: requireProjectToken(state) };
  // Which dated versions have the list is not certain; that 2024-10-21 has it is documented.
  app.get('/openai/models', ofResource, (request, reply) =>
    sendIf(reply, isDated(apiVersionOf(request)), { status: 200, body: modelList() }),
  );
  app.get('/openai/v1/models', ofResource, (request, reply) =>
    sendIf(reply, isV1Version(apiVersionOf(request)), { status: 200, body: modelList() }),
  );
  const project = '/api/projects/:project';
  app.get(`${project}/deployments`, ofProject, (request, reply) =>
    sendIf(reply, apiVersionOf(request) === 'v1', { status: 200, body: { value: [] } }),
  );
  app.get(`${project}/deployments/:name`, ofProject, (request: Named, reply) =>
    sendIf(reply, apiVersionOf(request) === 'v1', deployment(request.params.name)),
  );
  for (const path of [`${project}/agents/:name`, `${project}/agents/:name/versions/:version`]) {
    app.get(path, ofProject, (request, reply) =>
      sendIf(reply, apiVersionOf(request) === 'v1', agent((request as Named).params.name)),
    );
  }
}

function sendIf(reply: FastifyReply, isThere: boolean, response: PlainResponse): FastifyReply {
  return sendPlain(reply, isThere ? response : resourceNotFound());
}

function isDated(apiVersion: unknown): boolean {
  return typeof apiVersion === 'string' && /^\d{4}-\d{2}-\d{2}(?:-preview)?$/.test(apiVersion);
}

/** The models that can be deployed, whether they are or not. */
function modelList(): object {
  const data = families.map(({ name }) => ({ id: name, object: 'model', status: 'succeeded' }));
  return { object: 'list', data };
}

function deployment(name: string): PlainResponse {
  const exists = familyOf(name) !== undefined || chatModel.test(name);
  if (!exists) return azureError(404, 'NotFound', `Deployment ${name} not found.`);
  return { status: 200, body: { name, type: 'ModelDeployment', modelName: name } };
}

function agent(name: string): PlainResponse {
  return knowsAgent(name) ? { status: 200, body: { object: 'agent', id: name, name } } : agentNotFound(name);
}
