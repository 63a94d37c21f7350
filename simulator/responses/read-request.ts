import { planJob } from '../accept-job.ts';
import { type PlainAnswer, scenarioOutOfReach } from '../azure-errors.ts';
import { checkMembers } from '../check-parameters.ts';
import { chooseScenario, scenarioCalled } from '../choose-scenario.ts';
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
import { imageDeploymentMissing, withDetails } from './response-errors.ts';
import { isAnswerable, type ResponseOrder } from './response-job.ts';

/** Where a request came in: whether at a project, at which agent's own address, and which image deployment its header names. */
export type RequestPlace = {
  readonly isInProject: boolean;
  readonly published: string | undefined;
  readonly deployment: unknown;
};

/** Checks a request of the Responses API: an order to carry out, or the refusal, in either of its layouts. */
export async function readRequest(body: RequestBody, place: RequestPlace): Promise<ResponseOrder | PlainAnswer> {
  const order = await readOrder(body, place);
  return 'status' in order && order.status === 400 && wantsDetails(body, place) ? withDetails(order) : order;
}

function wantsDetails({ input }: RequestBody, { deployment }: RequestPlace): boolean {
  const read = readInput(input);
  const choice = chooseScenario('prompt' in read ? read.prompt : '', String(deployment ?? ''));
  return 'scenario' in choice && choice.scenario.name === 'agent-error-details';
}

async function readOrder(
  body: RequestBody,
  { isInProject, published, deployment }: RequestPlace,
): Promise<ResponseOrder | PlainAnswer> {
  const refused = checkRequest(body);
  if (refused !== undefined) return refused;
  const caller = chooseCaller(body, isInProject, published);
  if ('status' in caller) return caller;
  const family = typeof deployment === 'string' ? familyOf(deployment) : undefined;
  if (family?.kind !== 'gpt-image') return imageDeploymentMissing();
  const isAgent = caller.agent !== undefined;
  const tool = isAgent ? { tool: agentTool } : readTool(body, family);
  if ('status' in tool) return tool;
  const image = await readImage(body, tool.tool, {
    flow: 'foundry-agent',
    family,
    deployment: String(deployment),
  });
  if ('status' in image) return image;
  const order: ResponseOrder = {
    image: isAgent || isObject(body.tool_choice) ? image : { ...image, scenario: scenarioCalled('agent-text-only') },
    inBackground: body.background === true,
    isStored: body.store !== false,
    echo: echoOf(body, caller),
  };
  return isAnswerable(order) ? order : scenarioOutOfReach(image.scenario.spelled);
}

/** Reads what is to be drawn, with these options of the tool. */
async function readImage(body: RequestBody, tool: RequestBody, place: JobPlace): Promise<ImageJob | PlainAnswer> {
  const input = readInput(body.input);
  if ('status' in input) return input;
  const refused = checkPrompt(input.prompt, place.family);
  if (refused !== undefined) return refused;
  const edit = await readEdit(input.images, tool, place.family);
  if ('status' in edit) return edit;
  return planJob({ ...tool, prompt: input.prompt, stream: body.stream === true }, { ...place, ...edit });
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
