import { deploymentNotFound, missingParameter, type PlainAnswer } from '../azure-errors.ts';
import type { Members } from '../images-answer.ts';
import type { RequestBody } from '../request-body.ts';
import { agentNotFound, notAllowedWithAgent } from './response-errors.ts';

/** Who calls the tool: an agent, or a chat model with the tools of the request. */
export type ToolCaller = { readonly model: string; readonly agent?: Members };

const agentName = /^artist(?:-.+)?$/;
/** CONTRACTS §3.4: the chat models that may call the tool; capable ones only, as documents disagree on the others. */
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
export function chooseCaller(
  body: RequestBody,
  isInProject: boolean,
  published: string | undefined,
): ToolCaller | PlainAnswer {
  const own = published === undefined ? undefined : { type: 'agent_reference', name: published };
  const { agent_reference: reference = own, model } = body;
  if (reference === undefined) {
    if (model === undefined) return missingParameter('model');
    return chatModel.test(String(model)) ? { model: String(model) } : deploymentNotFound();
  }
  const refused = decidedByAgent.find((name) => body[name] !== undefined);
  if (refused !== undefined) return notAllowedWithAgent(refused);
  const { name } = reference as { name: string };
  // Agents belong to projects, and a published one answers for itself only.
  const isThere = isInProject && knowsAgent(name) && name === (published ?? name);
  return isThere ? { model: modelOfAgents, agent: reference as Members } : agentNotFound(name);
}
