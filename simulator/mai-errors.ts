import { filteredImage, filteredTask, type PlainResponse } from './azure-errors.ts';

/** The code of whatever its safety system refuses. */
const contentViolation = 'content_safety_violation';

/** The wording for everything that it does not take. */
export function unsupportedValue(message: string): PlainResponse {
  const error = {
    code: 'unsupported_request_value',
    message: `The request is not valid: ${message}`,
    details: message,
  };
  return { status: 400, body: { error } };
}

/** The error of an item that the safety system took away. */
export const violatingItem = { error: { ...filteredImage, code: contentViolation } };

// Of the other flows, whose scenarios are played here, too.
const contentCodes = [
  filteredTask.code,
  filteredImage.code,
  'content_policy_violation',
  'content_filter',
  'moderation_blocked',
];

/** A response of the other flows as MAI-Image words it: its own code for content, its own layout for a bad request. */
export function asMaiResponse(response: PlainResponse): PlainResponse {
  const { status, body } = response;
  const error = (body as { error?: { code: string | null; message: string; param?: unknown } } | undefined)?.error;
  if (error === undefined) return response;
  if (contentCodes.includes(String(error.code))) {
    return { ...response, body: { error: { code: contentViolation, message: error.message } } };
  }
  return status === 400 && error.param !== undefined ? unsupportedValue(error.message) : response;
}
