import { imageCall, responseOf, words } from '../agent-wire.ts';
import { jsonReply } from '../http-text.ts';
import { agentModes } from '../modes.ts';
import { type Expected, expected } from './expected.ts';
import { responded } from './extras-agent.ts';
import type { Fault } from './fault.ts';
import { atEnd, lostJob } from './playing.ts';

const errorOf = (code: string) => ({ code, message: 'upstream-text-canary' });

/** The codes of a response that has failed, and what they come to. */
const codes: readonly (readonly [reported: Expected, code: string, ...others: readonly string[]])[] = [
  [expected.failed, 'server_error', 'vector_store_timeout', 'data_residency_mismatch', 'upstream-text-canary'],
  [expected.limited, 'rate_limit_exceeded'],
  [expected.quota, 'insufficient_quota'],
  [expected.contentRefused, 'invalid_prompt', 'bio_policy', 'image_content_policy_violation', 'content_filter'],
  [expected.moderationBlocked, 'moderation_blocked'],
  [expected.imageRefused, 'invalid_image', 'image_too_large', 'failed_to_download_image', 'image_file_not_found'],
];

const failedResponses = codes.flatMap(([reported, ...some]) =>
  some.map((code) =>
    responded(`failed, ${code}`, responseOf([], { status: 'failed', error: errorOf(code) }), reported),
  ),
);

/** A call that fails has the same codes: one of each class is enough. */
const failedCalls = codes.map(([reported, code]) =>
  responded(
    `its call failed, ${code}`,
    responseOf([imageCall(null, { status: 'failed', error: errorOf(code) }), words]),
    reported,
  ),
);

const incomplete = (reason: unknown): Readonly<Record<string, unknown>> =>
  responseOf([], { status: 'incomplete', incomplete_details: reason });

const endings: readonly Fault[] = [
  responded('its call failed, without a word', responseOf([imageCall(null, { status: 'failed' })]), expected.failed),
  responded('failed, without a word', responseOf([], { status: 'failed' }), expected.failed),
  responded('incomplete, its tokens are used up', incomplete({ reason: 'max_output_tokens' }), expected.incomplete),
  responded('incomplete, filtered', incomplete({ reason: 'content_filter' }), expected.contentRefused),
  responded('incomplete, without a reason', incomplete(null), expected.incomplete),
  responded('cancelled', responseOf([], { status: 'cancelled' }), expected.unknown),
];

/** Azure's own error object, where a response should be. */
const bare = (name: string, code: string, reported: Expected): Fault => ({
  modes: agentModes,
  name: `an error instead of a response: ${name}`,
  play: (mode) => atEnd(mode, jsonReply(200, { error: errorOf(code) })),
  reported,
});

const errors: readonly Fault[] = [
  bare('content', 'contentFilter', expected.contentRefused),
  { ...bare('the service’s', 'server_error', expected.failed), exceptions: lostJob },
  { ...bare('the load’s', 'rate_limit_exceeded', expected.limited), exceptions: lostJob },
  { ...bare('anything else', 'upstream-text-canary', expected.invalid), exceptions: lostJob },
];

/** The operator's mistakes at the POST. */
const mistaken = (name: string, status: number, error: object): Fault => ({
  modes: agentModes,
  name: `set up wrongly: ${name}`,
  play: () => ({ post: jsonReply(status, { error }) }),
  reported: expected.misconfigured,
});

const mistakes: readonly Fault[] = [
  mistaken('no header', 400, {
    message: 'imagegen deployment must be provided through header: x-ms-oai-image-generation-deployment',
    type: 'image_generation_user_error',
    param: 'tools',
    code: 'invalid_request_error',
  }),
  mistaken('opaque', 400, { message: 'There was an issue with your request. Please check your inputs and try again' }),
  mistaken('model', 400, { message: 'Model not supported with Responses API', param: 'model', code: 'invalid_value' }),
  mistaken('no such agent', 404, { code: 'not_found', message: 'upstream-text-canary' }),
];

export const agentCodeExtras: readonly Fault[] = [
  ...failedResponses,
  ...failedCalls,
  ...endings,
  ...errors,
  ...mistakes,
];
