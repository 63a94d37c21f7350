import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readJob } from './accept-job.ts';
import { type AddressedCall, addressDeployment, addressV1 } from './address-call.ts';
import { answerJob } from './answer-job.ts';
import { operationNotSupported, type PlainAnswer, resourceNotFound } from './azure-errors.ts';
import { requireKey } from './check-credentials.ts';
import { servesApiVersion } from './families.ts';
import { objectBody } from './request-body.ts';
import { sendPlain } from './send-answer.ts';
import { countReceived, type SimulatedWorld } from './simulated-world.ts';

/** Adds generations in the two synchronous dialects: deployments path (CONTRACTS §3.2) and v1 path (§3.3). */
export function addAzureImages(app: FastifyInstance, world: SimulatedWorld): void {
  const hooks = { onRequest: requireKey(world), preHandler: countReceived(world) };
  app.post<{ Params: { deployment: string } }>(
    '/openai/deployments/:deployment/images/generations',
    hooks,
    (request, reply) =>
      generate(addressDeployment(request.params.deployment, request, objectBody(request)), request, reply, world),
  );
  app.post('/openai/v1/images/generations', hooks, (request, reply) =>
    generate(addressV1(request, objectBody(request)), request, reply, world),
  );
}

async function generate(
  call: AddressedCall | PlainAnswer,
  request: FastifyRequest,
  reply: FastifyReply,
  world: SimulatedWorld,
) {
  if ('status' in call) return sendPlain(reply, call);
  const { family, apiVersion, body } = call;
  // CONTRACTS §3.2, version table: dall-e-2 exists in the legacy flow only; §3.6: FLUX on the deployments path only.
  const isElsewhere = family.kind === 'dall-e-2' || (family.kind === 'flux' && call.flow === 'azure-v1');
  if (isElsewhere) return sendPlain(reply, operationNotSupported('generation', family.name));
  // CONTRACTS §3.2, version table: under a version that does not know the family there is no such resource.
  if (!servesApiVersion(family, apiVersion)) return sendPlain(reply, resourceNotFound());
  const job = readJob(body, call);
  return 'status' in job ? sendPlain(reply, job) : answerJob(job, apiVersion, world, request, reply);
}
