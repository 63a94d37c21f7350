import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { beginJob, objectBody, readJob } from './accept-job.ts';
import { deploymentNotFound, operationNotSupported, refusal, resourceNotFound } from './azure-errors.ts';
import type { RequestBody } from './check-parameters.ts';
import { type Family, familyOf, servesApiVersion } from './families.ts';
import { pictureOrdersOf } from './image-job.ts';
import { imagesAnswer } from './images-answer.ts';
import type { Flow } from './ledger.ts';
import { requestOrigin } from './origins.ts';
import { pictureLink } from './private-images.ts';
import { sendJson, sendPlain } from './send-answer.ts';
import { sendStream } from './send-stream.ts';
import { countReceived, requireKey, type SimulatedWorld } from './simulated-world.ts';
import { streamSteps } from './stream-steps.ts';

type Addressed = {
  readonly flow: Flow;
  readonly family: Family;
  readonly deployment: string;
  readonly apiVersion: string;
  readonly body: RequestBody;
};

const v1ApiVersions: readonly unknown[] = [undefined, 'preview', 'v1'];

/** Adds the two synchronous dialects: deployments path (CONTRACTS §3.2) and v1 path (§3.3), generations only. */
export function addAzureImages(app: FastifyInstance, world: SimulatedWorld): void {
  const hooks = { onRequest: requireKey(world), preHandler: countReceived(world) };
  app.post<{ Params: { deployment: string } }>(
    '/openai/deployments/:deployment/images/generations',
    hooks,
    (request, reply) => fromDeployment(request.params.deployment, request, reply, world),
  );
  app.post('/openai/v1/images/generations', hooks, (request, reply) => fromV1(request, reply, world));
}

async function fromDeployment(deployment: string, request: FastifyRequest, reply: FastifyReply, world: SimulatedWorld) {
  const apiVersion = (request.query as Record<string, unknown>)['api-version'];
  const family = familyOf(deployment);
  // CONTRACTS §3.2: api-version is required; without it, or given twice, there is no such resource.
  if (typeof apiVersion !== 'string') return sendPlain(reply, resourceNotFound());
  if (family === undefined) return sendPlain(reply, deploymentNotFound());
  const body = objectBody(request);
  return generate({ flow: 'azure-deployment', family, deployment, apiVersion, body }, request, reply, world);
}

async function fromV1(request: FastifyRequest, reply: FastifyReply, world: SimulatedWorld) {
  const apiVersion = (request.query as Record<string, unknown>)['api-version'];
  // CONTRACTS §3.3: api-version is optional; `v1` when it is left out, `preview` opts in.
  if (!v1ApiVersions.includes(apiVersion)) return sendPlain(reply, resourceNotFound());
  // CONTRACTS §3.3: body "model" is required and is the deployment's name.
  const { model, ...body } = objectBody(request);
  if (typeof model !== 'string' || model === '') {
    return sendPlain(reply, refusal('Unknown model', 'model', 'invalid_value'));
  }
  const family = familyOf(model);
  if (family === undefined) return sendPlain(reply, deploymentNotFound());
  return generate({ flow: 'azure-v1', family, deployment: model, apiVersion: 'preview', body }, request, reply, world);
}

async function generate(call: Addressed, request: FastifyRequest, reply: FastifyReply, world: SimulatedWorld) {
  const { family, apiVersion, body } = call;
  // CONTRACTS §3.2, version table: dall-e-2 exists in the legacy flow only.
  if (family.kind === 'dall-e-2') return sendPlain(reply, operationNotSupported(family.name));
  // CONTRACTS §3.6: FLUX is documented on the deployments path only.
  if (family.kind === 'flux' && call.flow === 'azure-v1') return sendPlain(reply, operationNotSupported(family.name));
  // CONTRACTS §3.2, version table: under a version that does not know the family there is no such resource.
  if (!servesApiVersion(family, apiVersion)) return sendPlain(reply, resourceNotFound());
  const job = readJob(body, call);
  if ('status' in job) return sendPlain(reply, job);
  reply.header('x-ms-deployment-name', call.deployment);
  if (!(await beginJob(job, apiVersion, world, request, reply))) return reply;
  const shelved = job.asUrl ? pictureOrdersOf(job).map((order) => world.shelf.shelve(order, job.scenario)) : [];
  const links = shelved.map((pathAndQuery) => pictureLink(requestOrigin(request), pathAndQuery, job.scenario));
  if (job.stream && job.scenario.name !== 'stream-json') {
    const requestId = String(reply.getHeader('apim-request-id'));
    const steps = await streamSteps(job, { link: links[0], requestId });
    return sendStream(reply, steps, job.scenario, world.partialMs);
  }
  // CONTRACTS §3.2: the echo fields are not in the table of the dated api-versions.
  const answer = await imagesAnswer(job, { links, withEcho: apiVersion === 'preview' });
  return sendJson(reply, 200, answer, job.scenario);
}
