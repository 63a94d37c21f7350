import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type PlainAnswer, scenarioOutOfReach, unknownScenario, unsupportedForm } from './azure-errors.ts';
import { checkParameters } from './check-parameters.ts';
import { chooseScenario } from './choose-scenario.ts';
import { type ImageJob, imageJobOf, isWithinReach, type JobPlace, operationOf } from './image-job.ts';
import { otherOrigin } from './origins.ts';
import type { RequestBody } from './request-body.ts';
import { scriptedAnswer } from './scripted-answers.ts';
import { sendPlain } from './send-answer.ts';
import type { SimulatedWorld } from './simulated-world.ts';

/** Checks a body and chooses its scenario: a job to do, or the refusal. */
export function readJob(body: RequestBody, place: JobPlace): ImageJob | PlainAnswer {
  const refused = checkParameters(place.family, body, operationOf(place));
  return refused ?? planJob(body, place);
}

/** Chooses the scenario of a checked body: a job to do, or why there is no such scenario here. */
export function planJob(body: RequestBody, place: JobPlace): ImageJob | PlainAnswer {
  const choice = chooseScenario(String(body.prompt), place.deployment);
  if ('unknownName' in choice) return unknownScenario(choice.unknownName);
  const job = imageJobOf(body, { ...place, scenario: choice.scenario });
  return isWithinReach(job) ? job : scenarioOutOfReach(job.scenario.spelled);
}

/**
 * Puts a job on the bill and plays the scenarios that every flow shares: waiting, hanging, scripted answers.
 * Answers true when the job is still to be done, false when the scenario has answered (or never will).
 */
export async function beginJob(
  job: ImageJob,
  apiVersion: string,
  world: SimulatedWorld,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  const { scenario, flow, deployment, prompt, count } = job;
  if (scenario.name === 'unsupported-content-type-once' && world.ledger.noteFirst(prompt)) {
    sendPlain(reply, unsupportedForm());
    return false;
  }
  // Billed before any wait: a client that leaves has still caused the work.
  if (scenario.billed) {
    const operation = operationOf(job);
    world.ledger.noteBilled({ operation, flow, deployment, prompt, images: count, scenario: scenario.spelled });
  }
  if (scenario.name === 'hang') {
    reply.hijack();
    return false;
  }
  if (scenario.name === 'slow') await wait(scenario.value, undefined, { ref: false });
  const requestId = String(reply.getHeader('apim-request-id'));
  const scripted = scriptedAnswer(scenario, { apiVersion, otherOrigin: otherOrigin(request), requestId, flow });
  if (scripted !== undefined) sendPlain(reply, scripted);
  return scripted === undefined;
}
