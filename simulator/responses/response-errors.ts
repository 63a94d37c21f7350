import { type PlainResponse, refusal } from '../azure-errors.ts';

/** The header with the image deployment is missing, or names none. */
export function imageDeploymentMissing(): PlainResponse {
  const message = 'imagegen deployment must be provided through header: x-ms-oai-image-generation-deployment';
  return refusal(message, 'tools', 'invalid_request_error', 'image_generation_user_error');
}

/** There is no such agent, at least not here. */
export function agentNotFound(name: string): PlainResponse {
  return { ...refusal(`Agent ${name} doesn't exist`, null, 'not_found'), status: 404 };
}

/** The member by which earlier documents name an agent. */
export function deprecatedAgent(): PlainResponse {
  const message = "The 'agent' property is deprecated. Use 'agent_reference' instead.";
  return refusal(message, 'agent', 'invalid_payload');
}

/** What the definition of an agent holds must not stand in a request that names one. */
export function notAllowedWithAgent(name: string): PlainResponse {
  return refusal('Not allowed when agent is specified.', name, 'invalid_payload');
}

/** The image tool does not stream without partial images. */
export function streamWithoutPartials(): PlainResponse {
  const message = 'Streaming must have non-zero partial images';
  return refusal(message, 'tools', null, 'image_generation_user_error');
}

/** The same refusal in the layout that names the parameter among details only. */
export function withDetails(response: PlainResponse): PlainResponse {
  const { error } = response.body as { error: { message: string; param: string | null } };
  const details = [{ code: 'ValidationError', message: error.message, param: error.param }];
  return { ...response, body: { error: { ...error, param: null, details } } };
}

/** No response with this id is remembered. */
export function responseNotFound(id: string): PlainResponse {
  return { ...refusal(`Response with id '${id}' not found.`, null, null), status: 404 };
}

/** Only what runs in background can be cancelled. */
export function notInBackground(): PlainResponse {
  return refusal('Only responses in background can be cancelled.', null, 'invalid_value');
}

/** A member that is of the right type and still wrong. */
export function invalidMember(name: string, problem: string): PlainResponse {
  return refusal(`Invalid value for '${name}': it ${problem}.`, name, 'invalid_value');
}
