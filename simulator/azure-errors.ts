/** A whole answer that needs no image: status, headers and a body that is JSON unless `contentType` says otherwise. */
export type PlainAnswer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body: unknown;
};

/** An error in Azure's own spelling: `code` and `message` only (CONTRACTS §3.2, errors). */
export function azureError(status: number, code: string, message: string): PlainAnswer {
  return { status, body: { error: { code, message } } };
}

/** A refusal in OpenAI's spelling with `type`, `param` and `code` (CONTRACTS §3.2, errors, lines 12 and 13). */
export function refusal(
  message: string,
  param: string | null,
  code: string | null,
  type = 'invalid_request_error',
): PlainAnswer {
  return { status: 400, body: { error: { message, type, param, code } } };
}

/** CONTRACTS §3.2, errors, line 7: the key is missing or wrong. */
export function accessDenied(): PlainAnswer {
  const advice = 'Make sure to provide a valid key for an active subscription.';
  return azureError(401, '401', `Access denied due to invalid subscription key or wrong API endpoint. ${advice}`);
}

/** The token is missing or wrong; the wording is that of other Azure operations. */
export function accessTokenRefused(): PlainAnswer {
  return azureError(401, '401', 'Access token is missing, invalid, audience is incorrect, or have expired.');
}

/** CONTRACTS §3.2, errors, line 8. */
export function deploymentNotFound(): PlainAnswer {
  const advice = 'If you created the deployment within the last 5 minutes, please wait a moment and try again.';
  return azureError(404, 'DeploymentNotFound', `The API deployment for this resource does not exist. ${advice}`);
}

/** CONTRACTS §3.2, errors, line 9: a wrong path or api-version; the code is the status as a string. */
export function resourceNotFound(): PlainAnswer {
  return azureError(404, '404', 'Resource not found');
}

/** CONTRACTS §3.2, errors, line 13: a body `model` that is not what this path wants. */
export function modelDoesNotExist(model: unknown): PlainAnswer {
  return refusal(
    `The model '${String(model)}' does not exist.`,
    'model',
    'invalid_value',
    'image_generation_user_error',
  );
}

/** The model exists, but not behind this path; the wording is that of other Azure operations. */
export function operationNotSupported(operation: 'generation' | 'edit', model: string): PlainAnswer {
  const message = `The image ${operation} operation does not work with the specified model, ${model}.`;
  return azureError(400, 'OperationNotSupported', message);
}

/** CONTRACTS §3.2, errors, line 5. */
export function moderationBlocked(requestId: string): PlainAnswer {
  const advice = 'If you believe this is an error, contact us at Azure support ticket and include the request ID';
  const message = `Your request was rejected by the safety system. ${advice} ${requestId}.`;
  return refusal(message, null, 'moderation_blocked', 'image_generation_user_error');
}

/** What the safety system says of a whole task (CONTRACTS §3.2, errors, line 3). */
export const filteredTask = {
  code: 'contentFilter',
  message: 'Your task failed as a result of our safety system.',
};

/** What the safety system says of one image (CONTRACTS §3.2, errors, line 4). */
export const filteredImage = {
  code: 'contentFilter',
  message: 'Generated image was filtered as a result of our safety system.',
};

/** What comes with a refusal of the image, not of the prompt. */
export const moderationDetails = { moderation_stage: 'output', categories: ['violence'] };

/** CONTRACTS §3.2, errors, line 12. */
export function unknownParameter(name: string): PlainAnswer {
  return refusal(`Unknown parameter: '${name}'.`, name, 'unknown_parameter');
}

/** A parameter, or a file, that every call of this kind needs. */
export function missingParameter(name: string): PlainAnswer {
  return refusal(`Missing required parameter: '${name}'.`, name, 'missing_required_parameter');
}

/** CONTRACTS §2.3: the model has no `input_fidelity`, whatever its value. */
export function invalidInputFidelityModel(model: string): PlainAnswer {
  const message = `The model '${model}' does not support 'input_fidelity'.`;
  return refusal(message, 'input_fidelity', 'invalid_input_fidelity_model', 'image_generation_user_error');
}

/** CONTRACTS §2.3: a file that is not what its part wants. */
export function invalidFile(name: string, problem: string): PlainAnswer {
  const message = `Invalid file '${name}': ${problem}.`;
  return refusal(message, name, 'invalid_image_file', 'image_generation_user_error');
}

/** CONTRACTS §3.2, quirks: a part whose content type is no image's, usually application/octet-stream. */
export function unsupportedMimetype(name: string, contentType: string): PlainAnswer {
  const formats = "Supported file formats are 'image/jpeg', 'image/png', and 'image/webp'.";
  const message = `Invalid file '${name}': unsupported mimetype ('${contentType}'). ${formats}`;
  return refusal(message, name, 'unsupported_file_mimetype');
}

/** CONTRACTS §3.2, quirks: said now and then to a form that is right. */
export function unsupportedForm(): PlainAnswer {
  return unsupportedContentType('multipart/form-data', 'application/json');
}

/** A body of another type than the path takes, or so the answer says. */
export function unsupportedContentType(contentType: string, wanted: string): PlainAnswer {
  const message = `Unsupported content type: '${contentType}'. This API method only accepts '${wanted}' requests.`;
  return refusal(message, null, 'unsupported_content_type');
}

/** Not Azure's: tells the author of a test that no scenario has this name. */
export function unknownScenario(name: string): PlainAnswer {
  return refusal(
    `The simulator has no scenario '${name}'. See GET /simulator/scenarios.`,
    'prompt',
    'unknown_scenario',
  );
}

/** Not Azure's: tells the author of a test that this scenario could not show itself in this call. */
export function scenarioOutOfReach(name: string): PlainAnswer {
  return refusal(`The scenario '${name}' means nothing in this flow.`, 'prompt', 'scenario_out_of_reach');
}

/** CONTRACTS §3.1, errors: the legacy flow has `target` instead of `param`, and repeats the code in a header. */
export function legacyError(answer: PlainAnswer): PlainAnswer {
  const error = (answer.body as { error?: { code: string; message: string; param?: string } } | undefined)?.error;
  if (error === undefined) return answer;
  const { code, message, param } = error;
  const body = { error: { code, message, ...(param === undefined ? {} : { target: param }), details: [] } };
  return { ...answer, headers: { ...answer.headers, 'x-ms-error-code': code }, body };
}
