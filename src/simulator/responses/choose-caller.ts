import { deploymentNotFound, missingParameter, type PlainAnswer, refusal } from '../azure-errors.ts';
import type { Members } from '../images-answer.ts';
import type { RequestBody } from '../request-body.ts';
import { agentNotFound, invalidMember } from './response-errors.ts';

/** Who calls the tool: an agent, or a chat model with the tools of the request. */
export type ToolCaller = { readonly model: string; readonly agent?: Members };

const agentName = /^artist(?:-.+)?$/;
/** CONTRACTS §3.4: the chat models that may call the tool; capable ones only, as documents disagree on the others. */
export const chatModel = /^(?:gpt-4|gpt-5|o3)/;
const modelOfAgents = 'gpt-4.1';

/** Whether a project has an agent of this name. */
export function knowsAgent(name: string): boolean {
  return agentName.test(name);
}

/** Finds the agent or the chat deployment that a request names, or says why there is none. */
export function chooseCaller(body: RequestBody, isInProject: boolean): ToolCaller | PlainAnswer {
  const { agent, agent_reference: reference = agent, model } = body;
  if (reference === undefined) {
    if (model === undefined) return missingParameter('model');
    return chatModel.test(String(model)) ? { model: String(model) } : deploymentNotFound();
  }
  // CONTRACTS §3.4: two spellings of one member.
  if (agent !== undefined && body.agent_reference !== undefined) {
    return invalidMember('agent', 'must not stand beside agent_reference');
  }
  if (model !== undefined) return refusal('Not allowed when agent is specified.', 'model', 'invalid_payload');
  const { name } = reference as { name: string };
  // CONTRACTS §3.4: agents belong to projects.
  if (!isInProject || !knowsAgent(name)) return agentNotFound(name);
  return { model: modelOfAgents, agent: reference as Members };
}
