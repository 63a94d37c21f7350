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
