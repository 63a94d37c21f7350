/** A whole response without images: status, headers and a body that is JSON unless `contentType` says otherwise. */
export type PlainResponse = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body: unknown;
};

/** An error in Azure's own spelling: `code` and `message` only. */
export function azureError(status: number, code: string, message: string): PlainResponse {
  return { status, body: { error: { code, message } } };
}

/** A refusal in OpenAI's spelling with `type`, `param` and `code`. */
export function refusal(
  message: string,
  param: string | null,
  code: string | null,
  type = 'invalid_request_error',
): PlainResponse {
  return { status: 400, body: { error: { message, type, param, code } } };
}

/** The key is missing or wrong. */
export function accessDenied(): PlainResponse {
  const advice = 'Make sure to provide a valid key for an active subscription.';
  return azureError(401, '401', `Access denied due to invalid subscription key or wrong API endpoint. ${advice}`);
}

/** The token is missing or wrong; the wording is that of other Azure operations. */
export function accessTokenRefused(): PlainResponse {
  return azureError(401, '401', 'Access token is missing, invalid, audience is incorrect, or have expired.');
}

/** The path, or the model of the body, names no deployment. */
export function deploymentNotFound(): PlainResponse {
  const advice = 'If you created the deployment within the last 5 minutes, please wait a moment and try again.';
  return azureError(404, 'DeploymentNotFound', `The API deployment for this resource does not exist. ${advice}`);
}

/** A wrong path or api-version; the code is the status as a string. */
export function resourceNotFound(): PlainResponse {
  return azureError(404, '404', 'Resource not found');
}

/** A body `model` that is not what this path wants. */
export function modelDoesNotExist(model: unknown): PlainResponse {
  return refusal(
    `The model '${String(model)}' does not exist.`,
    'model',
    'invalid_value',
    'image_generation_user_error',
  );
}

/** The model exists, but not behind this path; the wording is that of other Azure operations. */
export function operationNotSupported(operation: 'generation' | 'edit', model: string): PlainResponse {
  const message = `The image ${operation} operation does not work with the specified model, ${model}.`;
  return azureError(400, 'OperationNotSupported', message);
}

/** The safety system has refused the prompt. */
export function moderationBlocked(requestId: string): PlainResponse {
  const advice = 'If you believe this is an error, contact us at Azure support ticket and include the request ID';
  const message = `Your request was rejected by the safety system. ${advice} ${requestId}.`;
  return refusal(message, null, 'moderation_blocked', 'image_generation_user_error');
}

/** The safety system's error for a whole task. */
export const filteredTask = {
  code: 'contentFilter',
  message: 'Your task failed as a result of our safety system.',
};

/** The safety system's error for one image. */
export const filteredImage = {
  code: 'contentFilter',
  message: 'Generated image was filtered as a result of our safety system.',
};

/** What comes with a refusal of the image, not of the prompt. */
export const moderationDetails = { moderation_stage: 'output', categories: ['violence'] };

/** A parameter that the model does not have. */
export function unknownParameter(name: string): PlainResponse {
  return refusal(`Unknown parameter: '${name}'.`, name, 'unknown_parameter');
}

/** A parameter, or a file, that every call of this kind needs. */
export function missingParameter(name: string): PlainResponse {
  return refusal(`Missing required parameter: '${name}'.`, name, 'missing_required_parameter');
}

/** The model has no `input_fidelity`, whatever its value. */
export function invalidInputFidelityModel(model: string): PlainResponse {
  const message = `The model '${model}' does not support 'input_fidelity'.`;
  return refusal(message, 'input_fidelity', 'invalid_input_fidelity_model', 'image_generation_user_error');
}

/** A file that is not what its part wants. */
export function invalidFile(name: string, problem: string): PlainResponse {
  const message = `Invalid file '${name}': ${problem}.`;
  return refusal(message, name, 'invalid_image_file', 'image_generation_user_error');
}

/** A part whose content type is not that of an image, such as application/octet-stream. */
export function unsupportedMimetype(name: string, contentType: string): PlainResponse {
  const formats = "Supported file formats are 'image/jpeg', 'image/png', and 'image/webp'.";
  const message = `Invalid file '${name}': unsupported mimetype ('${contentType}'). ${formats}`;
  return refusal(message, name, 'unsupported_file_mimetype');
}

/** Users report it for forms that are right. */
export function unsupportedForm(): PlainResponse {
  return unsupportedContentType('multipart/form-data', 'application/json');
}

/** A body of another type than the path accepts; scenarios also say so of the right type. */
export function unsupportedContentType(contentType: string, wanted: string): PlainResponse {
  const message = `Unsupported content type: '${contentType}'. This API method only accepts '${wanted}' requests.`;
  return refusal(message, null, 'unsupported_content_type');
}

/** Not Azure's: for the author of a test. No scenario has this name. */
export function unknownScenario(name: string): PlainResponse {
  return refusal(
    `The simulator has no scenario '${name}'. See GET /simulator/scenarios.`,
    'prompt',
    'unknown_scenario',
  );
}

/** Not Azure's: for the author of a test. This scenario cannot show itself in this call. */
export function scenarioOutOfReach(name: string): PlainResponse {
  return refusal(`The scenario '${name}' means nothing in this flow.`, 'prompt', 'scenario_out_of_reach');
}

/** The legacy flow has `target` instead of `param`, and repeats the code in a header. */
export function legacyError(response: PlainResponse): PlainResponse {
  const error = (response.body as { error?: { code: string; message: string; param?: string } } | undefined)?.error;
  if (error === undefined) return response;
  const { code, message, param } = error;
  const body = { error: { code, message, ...(param === undefined ? {} : { target: param }), details: [] } };
  return { ...response, headers: { ...response.headers, 'x-ms-error-code': code }, body };
}
