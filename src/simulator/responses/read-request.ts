import { planJob } from '../accept-job.ts';
import { type PlainAnswer, scenarioOutOfReach } from '../azure-errors.ts';
import { checkMembers } from '../check-parameters.ts';
import { scenarioCalled } from '../choose-scenario.ts';
import { type Family, familyOf } from '../families.ts';
import type { ImageJob, JobPlace } from '../image-job.ts';
import { rulesOf } from '../parameter-rules.ts';
import { isObject, type RequestBody } from '../request-body.ts';
import { shortenDataUrls } from '../shorten-data-urls.ts';
import { checkRequest } from './check-request.ts';
import { agentTool, readTool } from './check-tools.ts';
import { chooseCaller, type ToolCaller } from './choose-caller.ts';
import { readEdit } from './read-edit.ts';
import { readInput } from './read-input.ts';
import { imageDeploymentMissing } from './response-errors.ts';
import { isAnswerable, type ResponseOrder } from './response-job.ts';

/** Where a request came in: whether at a project, and the image deployment that its header names. */
export type RequestPlace = { readonly isInProject: boolean; readonly deployment: unknown };

/** Checks a request of the Responses API: an order to carry out, or the refusal (CONTRACTS §3.4). */
export async function readRequest(
  body: RequestBody,
  { isInProject, deployment }: RequestPlace,
): Promise<ResponseOrder | PlainAnswer> {
  const refused = checkRequest(body);
  if (refused !== undefined) return refused;
  const caller = chooseCaller(body, isInProject);
  if ('status' in caller) return caller;
  const family = typeof deployment === 'string' ? familyOf(deployment) : undefined;
  if (family?.kind !== 'gpt-image') return imageDeploymentMissing();
  const tool = readTool(body.tools, family, caller.agent !== undefined);
  if ('status' in tool) return tool;
  const image = await readImage(body, tool.tool, caller, {
    flow: 'foundry-agent',
    family,
    deployment: String(deployment),
  });
  if ('status' in image) return image;
  const order: ResponseOrder = {
    image: isObject(body.tool_choice) ? image : { ...image, scenario: scenarioCalled('agent-text-only') },
    inBackground: body.background === true,
    isStored: body.store !== false,
    echo: echoOf(body, caller),
  };
  return isAnswerable(order) ? order : scenarioOutOfReach(image.scenario.spelled);
}

/** Reads what is to be drawn. An agent takes its own options, but wrong ones of the request are refused all the same. */
async function readImage(
  body: RequestBody,
  given: RequestBody,
  { agent }: ToolCaller,
  place: JobPlace,
): Promise<ImageJob | PlainAnswer> {
  const input = readInput(body.input);
  if ('status' in input) return input;
  const refused = checkPrompt(input.prompt, place.family);
  if (refused !== undefined) return refused;
  const edit = await readEdit(input.images, given, place.family);
  if ('status' in edit) return edit;
  const options = agent === undefined ? given : agentTool;
  return planJob({ ...options, prompt: input.prompt, stream: body.stream === true }, { ...place, ...edit });
}

function checkPrompt(prompt: string, family: Family): PlainAnswer | undefined {
  return checkMembers({ prompt }, rulesOf(family, 'generate'), () => 'input');
}

function echoOf(body: RequestBody, { model, agent }: ToolCaller) {
  const { instructions = null, metadata = {}, tool_choice = 'auto', tools, previous_response_id = null } = body;
  return {
    instructions,
    model,
    ...(agent && { agent_reference: agent }),
    metadata,
    previous_response_id,
    tools: agent === undefined ? shortenDataUrls(tools) : [agentTool],
    tool_choice,
  };
}
