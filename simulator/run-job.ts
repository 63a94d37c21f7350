import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type PlainResponse, scenarioOutOfReach, unknownScenario, unsupportedForm } from './azure-errors.ts';
import { checkParameters } from './check-parameters.ts';
import { chooseScenario } from './choose-scenario.ts';
import { type ImageJob, imageJobOf, imageOrdersOf, isWithinReach, type JobPlace, operationOf } from './image-job.ts';
import { imagesResponse } from './images-response.ts';
import { otherOrigin, type RequestBody, requestOrigin } from './incoming-request.ts';
import { imageLink } from './private-images.ts';
import type { SimulatorState } from './request-hooks.ts';
import { scriptedResponse } from './scripted-responses.ts';
import { sendJson, sendPlain } from './send-response.ts';
import { sendStream } from './send-stream.ts';
import { streamSteps } from './stream-steps.ts';

/** Checks a body and chooses its scenario: a job to do, or the refusal. */
export function readJob(body: RequestBody, place: JobPlace): ImageJob | PlainResponse {
  const refused = checkParameters(place.family, body, operationOf(place));
  return refused ?? planJob(body, place);
}

/** Chooses the scenario of a checked body: a job to do, or why there is no such scenario here. */
export function planJob(body: RequestBody, place: JobPlace): ImageJob | PlainResponse {
  const choice = chooseScenario(String(body.prompt), place.deployment);
  if ('unknownName' in choice) return unknownScenario(choice.unknownName);
  const job = imageJobOf(body, { ...place, scenario: choice.scenario });
  return isWithinReach(job) ? job : scenarioOutOfReach(job.scenario.spelled);
}

/**
 * Counts a job against its quota, bills it, and plays the scenarios that every flow shares: waiting, hanging, scripted responses.
 * Resolves with true when the images are still to be made, and with false when the scenario has responded, or never will.
 */
export async function beginJob(
  job: ImageJob,
  apiVersion: string,
  state: SimulatorState,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  const { scenario, flow, deployment, prompt, count } = job;
  if (scenario.name === 'unsupported-content-type-once' && state.ledger.noteFirst(prompt)) {
    sendPlain(reply, unsupportedForm());
    return false;
  }
  const verdict = state.quotas.take(deployment, apiVersion);
  if (verdict) reply.headers(verdict.headers);
  if (verdict?.refusal) {
    sendPlain(reply, verdict.refusal);
    return false;
  }
  // Billed before any wait: a client that leaves has still caused the work.
  if (scenario.billed) {
    const operation = operationOf(job);
    state.ledger.noteBilled({ operation, flow, deployment, prompt, images: count, scenario: scenario.spelled });
  }
  if (scenario.name === 'hang') {
    reply.hijack();
    return false;
  }
  if (scenario.name === 'slow') await wait(scenario.value, undefined, { ref: false });
  const requestId = String(reply.getHeader('apim-request-id'));
  const scripted = scriptedResponse(scenario, { apiVersion, otherOrigin: otherOrigin(request), requestId, flow });
  if (scripted !== undefined) sendPlain(reply, scripted);
  return scripted === undefined;
}

/** Makes the images of a job of a synchronous flow and sends them, whole or as a stream, as its scenario wants. */
export async function respondToJob(
  job: ImageJob,
  apiVersion: string,
  state: SimulatorState,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.header('x-ms-deployment-name', job.deployment);
  if (!(await beginJob(job, apiVersion, state, request, reply))) return reply;
  const stored = job.asUrl ? imageOrdersOf(job).map((order) => state.images.put(order, job.scenario)) : [];
  const links = stored.map((pathAndQuery) => imageLink(requestOrigin(request), pathAndQuery, job.scenario));
  if (job.stream && job.scenario.name !== 'stream-json') {
    const requestId = String(reply.getHeader('apim-request-id'));
    const steps = await streamSteps(job, { link: links[0], requestId });
    return sendStream(reply, steps, job.scenario, state.partialMs);
  }
  // The echo fields are not in the table of the dated api-versions.
  const response = await imagesResponse(job, { links, withEcho: apiVersion === 'preview' });
  return sendJson(reply, 200, response, job.scenario);
}
