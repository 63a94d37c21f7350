import { type PlainAnswer, refusal } from '../azure-errors.ts';

/** CONTRACTS §3.4: the header with the image deployment is missing, or names none. */
export function imageDeploymentMissing(): PlainAnswer {
  const message = 'imagegen deployment must be provided through header: x-ms-oai-image-generation-deployment';
  return refusal(message, 'tools', 'invalid_request_error', 'image_generation_user_error');
}

/** There is no such agent, at least not here. */
export function agentNotFound(name: string): PlainAnswer {
  return { ...refusal(`Agent ${name} doesn't exist`, null, 'not_found'), status: 404 };
}

/** The member by which earlier documents name an agent. */
export function deprecatedAgent(): PlainAnswer {
  const message = "The 'agent' property is deprecated. Use 'agent_reference' instead.";
  return refusal(message, 'agent', 'invalid_payload');
}

/** What the definition of an agent holds must not stand in a request that names one. */
export function notAllowedWithAgent(name: string): PlainAnswer {
  return refusal('Not allowed when agent is specified.', name, 'invalid_payload');
}

/** The image tool does not stream without partial images. */
export function streamWithoutPartials(): PlainAnswer {
  const message = 'Streaming must have non-zero partial images';
  return refusal(message, 'tools', null, 'image_generation_user_error');
}

/** The same refusal in the layout that names the parameter among details only. */
export function withDetails(answer: PlainAnswer): PlainAnswer {
  const { error } = answer.body as { error: { message: string; param: string | null } };
  const details = [{ code: 'ValidationError', message: error.message, param: error.param }];
  return { ...answer, body: { error: { ...error, param: null, details } } };
}

/** No response with this id is remembered. */
export function responseNotFound(id: string): PlainAnswer {
  return { ...refusal(`Response with id '${id}' not found.`, null, null), status: 404 };
}

/** CONTRACTS §3.4: only what runs in background can be cancelled. */
export function notInBackground(): PlainAnswer {
  return refusal('Only responses in background can be cancelled.', null, 'invalid_value');
}

/** A member that is of the right type and still wrong. */
export function invalidMember(name: string, problem: string): PlainAnswer {
  return refusal(`Invalid value for '${name}': it ${problem}.`, name, 'invalid_value');
}
