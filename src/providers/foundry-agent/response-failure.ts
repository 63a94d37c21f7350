import { GatewayError } from '../../domain/gateway-error.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import { azureErrorMember, errorInSuccess } from '../azure-error.ts';
import { memberOf } from '../azure-error-facts.ts';
import { toolParameter } from './tool-parameter.ts';

/** A response in the background that has not ended. */
export class PendingResponseError extends Error {
  override readonly name = 'PendingResponseError';
  readonly responseId: unknown;

  constructor(responseId: unknown) {
    super('the response has not ended');
    this.responseId = responseId;
  }
}

/** What is known of a response without a picture. */
export type EmptyResponse = {
  /** The response's own members. */
  readonly members: Readonly<Record<string, unknown>>;
  /** Whether its image tool was called at all. */
  readonly hasCall: boolean;
  /** Why that failed, if it says so. */
  readonly callError: unknown;
};

/** Why a response has no picture: a GatewayError, or a PendingResponseError (CONTRACTS §3.4, §5 rows 22, 28, 29, 32, 33). */
export function responseFailure({ members, hasCall, callError }: EmptyResponse): Error {
  const { id, status, error, incomplete_details: details } = members;
  // A call that has failed may be made again as long as the chat model works.
  if (status === 'queued' || status === 'in_progress') return new PendingResponseError(id);
  if (isPresent(callError)) return azureErrorMember(callError, toolParameter);
  switch (status) {
    case 'failed':
      return azureErrorMember(isPresent(error) ? error : {}, toolParameter);
    case 'incomplete':
      return azureErrorMember({
        code: memberOf(details, 'reason') === 'content_filter' ? 'content_filter' : 'incomplete',
      });
    case 'cancelled':
      return azureErrorMember({ code: 'cancelled' });
    case 'completed':
      return hasCall ? invalidResponse('the image call holds no picture') : textOnly();
    default:
      return isPresent(error) ? errorInSuccess(error) : invalidResponse('the response has an unknown status');
  }
}

/** The chat model was paid, but it has drawn nothing; the same prompt would hardly make it. */
function textOnly(): GatewayError {
  return new GatewayError(
    'upstream_no_image',
    'The image service answered with words instead of a picture, as it does for a prompt that it does not want to draw, or does not understand.',
    { outcome: 'failed' },
  );
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}
