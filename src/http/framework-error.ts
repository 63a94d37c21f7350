import { GatewayError } from '../domain/gateway-error.ts';

/**
 * What Fastify and Node complain about, in our words: their own messages and shapes are not those of OpenAI's API.
 * `undefined` for anything that is not the caller's fault.
 */
export function frameworkError(error: unknown, bodyLimit: number): GatewayError | undefined {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new GatewayError('request_too_large', `The request's body is longer than ${bodyLimit} bytes.`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new GatewayError(
      'unsupported_content_type',
      "The request's content-type must be application/json; for edits, multipart/form-data is another choice.",
    );
  }
  if (code === 'FST_ERR_CTP_EMPTY_JSON_BODY') {
    return new GatewayError('invalid_json', 'The request has no body; it must be a JSON object.');
  }
  if (error instanceof SyntaxError || code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
    return new GatewayError('invalid_json', "The request's body is not valid JSON.");
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new GatewayError('invalid_request', 'The request is not valid HTTP for this server.', { cause: error });
  }
  return undefined;
}
