import { deploymentNotFound, missingParameter, type PlainResponse, scenarioOutOfReach } from '../azure-errors.ts';
import { checkMembers, rulesOf } from '../check-parameters.ts';
import { chooseScenario, scenarioCalled } from '../choose-scenario.ts';
import { type Family, familyOf } from '../families.ts';
import type { ImageJob, JobPlace } from '../image-job.ts';
import type { Members } from '../images-response.ts';
import { isObject, type RequestBody, shortenDataUrls } from '../incoming-request.ts';
import { planJob } from '../run-job.ts';
import { agentTool, checkRequest, readTool } from './check-request.ts';
import { readEdit, readInput } from './read-input.ts';
import { agentNotFound, imageDeploymentMissing, notAllowedWithAgent, withDetails } from './response-errors.ts';
import { canShowScenario, type ResponseOrder } from './response-job.ts';

/** Where a request came in: whether at a project, at which agent's own address, and which image deployment its header names. */
type RequestPlace = {
  readonly isInProject: boolean;
  readonly published: string | undefined;
  readonly deployment: unknown;
};

/** Checks a request of the Responses API: an order to carry out, or the refusal, in either of its layouts. */
export async function readRequest(body: RequestBody, place: RequestPlace): Promise<ResponseOrder | PlainResponse> {
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
): Promise<ResponseOrder | PlainResponse> {
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
  return canShowScenario(order) ? order : scenarioOutOfReach(image.scenario.spelled);
}

/** Reads what is to be drawn, with these options of the tool. */
async function readImage(body: RequestBody, tool: RequestBody, place: JobPlace): Promise<ImageJob | PlainResponse> {
  const input = readInput(body.input);
  if ('status' in input) return input;
  const refused = checkPrompt(input.prompt, place.family);
  if (refused !== undefined) return refused;
  const edit = await readEdit(input.images, tool, place.family);
  if ('status' in edit) return edit;
  return planJob({ ...tool, prompt: input.prompt, stream: body.stream === true }, { ...place, ...edit });
}

function checkPrompt(prompt: string, family: Family): PlainResponse | undefined {
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

/** Who calls the tool: an agent, or a chat model with the tools of the request. */
type ToolCaller = { readonly model: string; readonly agent?: Members };

const agentName = /^artist(?:-.+)?$/;
/** The chat models that may call the tool; capable ones only, as documents disagree on the others. */
export const chatModel = /^(?:gpt-4|gpt-5|o3)/;
const modelOfAgents = 'gpt-4.1';

/** What an agent's definition decides, and a request must not. */
const decidedByAgent = ['tools', 'model', 'temperature', 'top_p', 'tool_choice'];

/** Whether a project has an agent of this name. */
export function knowsAgent(name: string): boolean {
  return agentName.test(name);
}

/**
 * Finds the agent or the chat deployment that a request names, or says why there is none.
 * @param published the agent that the address is that of
 */
function chooseCaller(
  body: RequestBody,
  isInProject: boolean,
  published: string | undefined,
): ToolCaller | PlainResponse {
  const own = published === undefined ? undefined : { type: 'agent_reference', name: published };
  const { agent_reference: reference = own, model } = body;
  if (reference === undefined) {
    if (model === undefined) return missingParameter('model');
    return chatModel.test(String(model)) ? { model: String(model) } : deploymentNotFound();
  }
  const refused = decidedByAgent.find((name) => body[name] !== undefined);
  if (refused !== undefined) return notAllowedWithAgent(refused);
  const { name } = reference as { name: string };
  // Agents belong to projects, and the address of a published one is for that agent only.
  const isThere = isInProject && knowsAgent(name) && name === (published ?? name);
  return isThere ? { model: modelOfAgents, agent: reference as Members } : agentNotFound(name);
}
