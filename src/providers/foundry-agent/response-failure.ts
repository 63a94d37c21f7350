import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { Attempt } from '../../domain/image-provider.ts';
import { invalidResponse, paidCallError } from '../../upstream/paid-call-error.ts';
import { azureErrorMember, errorInSuccess } from '../azure/azure-error.ts';
import type { ParameterNames } from '../azure/azure-error-facts.ts';
import { hasContent, memberOf } from '../azure/json-values.ts';

/** A response in the background that has not ended. */
export class PendingResponseError extends Error {
  override readonly name = 'PendingResponseError';
  readonly responseId: unknown;

  constructor(responseId: unknown) {
    super('the response has not ended');
    this.responseId = responseId;
  }
}

/** What is known of a response without an image. */
export type EmptyResponse = {
  /** The response's own members. */
  readonly members: Readonly<Record<string, unknown>>;
  /** What became of the calls of its image tool. */
  readonly call: 'none' | 'made' | 'failed';
  /** Why one of them failed, if it says so. */
  readonly callError: unknown;
  /** Whether the chat model has refused, in a part that is made for it. */
  readonly isRefused: boolean;
  /** What callers call a parameter. */
  readonly parameter: ParameterNames;
  /** Whether it came from a poll, whose own failure says nothing about the response. */
  readonly isPolled: boolean;
};

/** Why a response has no image: a GatewayError, or a PendingResponseError. */
export function responseFailure(response: EmptyResponse): Error {
  const { members, call, callError, isRefused, parameter, isPolled } = response;
  const { id, status, error, incomplete_details: details } = members;
  // A call that has failed may be made again as long as the chat model works.
  if (status === 'queued' || status === 'in_progress') return new PendingResponseError(id);
  const callFailure = hasContent(callError) ? azureErrorMember(callError, parameter) : undefined;
  if (callFailure?.outcome === 'refused') return callFailure;
  switch (status) {
    case 'failed':
      return callFailure ?? failure(error, parameter);
    case 'incomplete':
      return /^content_?filter$/i.test(String(memberOf(details, 'reason'))) ? contentRefused() : incomplete();
    case 'cancelled':
      return cancelled();
    case 'completed':
      if (isRefused) return contentRefused();
      if (call === 'none') return textOnly();
      return (
        callFailure ?? (call === 'failed' ? failure({}, parameter) : invalidResponse('an image call holds no image'))
      );
    default: {
      const stated = hasContent(error)
        ? errorInSuccess(error, parameter)
        : invalidResponse('the response has an unknown status');
      const isUnknown = hasContent(status) && stated.outcome !== 'refused';
      const meaning = isUnknown ? invalidResponse(stated) : (callFailure ?? stated);
      const isOfPoll = isPolled && !hasContent(status) && meaning.outcome !== 'refused';
      return isOfPoll ? new Error('the response to a poll says nothing about the job') : meaning;
    }
  }
}

function failure(error: unknown, parameter: ParameterNames): GatewayError {
  return azureErrorMember(hasContent(error) ? error : {}, parameter);
}

function contentRefused(): GatewayError {
  return azureErrorMember({ code: 'content_policy_violation' });
}

/** The chat model was paid, but it has drawn nothing; the same prompt would hardly make it. */
function textOnly(): GatewayError {
  return new GatewayError(
    'upstream_no_image',
    'The image service responded with words instead of an image, as it does for a prompt that it does not want to draw, or does not understand.',
    { outcome: 'failed' },
  );
}

/** The limit that has cut this response would cut the next one, too, and the chat model's tokens are billed each time. */
function incomplete(): GatewayError {
  return new GatewayError(
    'upstream_incomplete',
    'The image service reached one of its limits before the image was complete. Its work may be billed; it was not retried.',
    { outcome: 'failed' },
  );
}

/** Nobody here has cancelled it: the image may have been made. */
function cancelled(): GatewayError {
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service cancelled the request by itself. The image may have been made and billed; it was not retried.',
    { outcome: 'unknown' },
  );
}

/** The events of a response that nothing but this call can bring: what breaks them is a GatewayError with an outcome. */
export async function* asPaid(events: AsyncIterable<ImageEvent>, attempt: Attempt): AsyncGenerator<ImageEvent> {
  try {
    yield* events;
  } catch (error) {
    if (error instanceof PendingResponseError) throw invalidResponse(error);
    throw paidCallError(error, attempt);
  }
}
