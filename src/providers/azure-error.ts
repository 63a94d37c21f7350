import { type ErrorKind, GatewayError, type Outcome } from '../domain/gateway-error.ts';
import type { UpstreamAnswer } from '../upstream/client.ts';
import { invalidResponse } from '../upstream/paid-call-error.ts';
import { isFramed, readBounded } from '../upstream/read-bounded.ts';
import {
  type AzureErrorFacts,
  type ErrorAnswer,
  memberOf,
  type ParameterNames,
  readAzureErrorFacts,
} from './azure-error-facts.ts';
import { parseJson } from './parse-json.ts';

/** An error object is at most this long, and arrives within this time. */
export const errorBodyLimits = { bytes: 64 * 1024, ms: 5_000 };

/** The meaning of an answer that is not a success. Reads its body, bounded, and never rejects. */
export async function azureAnswerError(answer: UpstreamAnswer, parameter?: ParameterNames): Promise<GatewayError> {
  const { status, headers, body, renewal } = answer;
  const { text, end } = await readBounded(body, errorBodyLimits);
  const value = end === 'complete' && isFramed(headers) ? parseJson(text) : undefined;
  return azureError({ status, headers, value, text, isCut: end === 'broken', renewal, parameter });
}

/** The meaning of an `error` member inside an answer with status 200, or of an operation that failed. */
export function azureErrorMember(error: unknown, parameter?: ParameterNames): GatewayError {
  return azureError({ status: 200, headers: {}, value: { error }, text: '', isCut: false, parameter });
}

/** The meaning of an error event in a stream. One that says nothing at all leaves open what was made. */
export function azureErrorEvent(error: unknown, parameter?: ParameterNames): GatewayError {
  const says = ['code', 'message'].some((name) => typeof memberOf(error, name) === 'string');
  return says ? azureErrorMember(error, parameter) : invalidResponse('an error event says nothing');
}

/**
 * The meaning of an `error` in an answer that calls itself a success. What is not a refusal of the content leaves open what
 * was made and billed besides: nothing of such an answer is asked for again (RELIABILITY §3.1).
 */
export function errorInSuccess(error: unknown): GatewayError {
  const meaning = azureErrorMember(error);
  return meaning.outcome === 'refused' ? meaning : invalidResponse(meaning.cause);
}

function azureError(answer: ErrorAnswer): GatewayError {
  const facts = readAzureErrorFacts(answer);
  const [, kind, outcome] = [...statusRules, ...bodyRules].find(([applies]) => applies(facts)) ?? anythingElse;
  const param = facts.param ?? (kind === 'upstream_refused_image' ? 'image' : undefined);
  const subject = facts.param === undefined ? 'one of the parameters' : `'${facts.param}'`;
  return new GatewayError(
    kind,
    messages[kind].replace('%', () => subject),
    {
      outcome,
      ...(outcome === 'refused' && param !== undefined && { param }),
      ...(outcome === 'not-processed' && facts.retryAfterMs !== undefined && { retryAfterMs: facts.retryAfterMs }),
      ...(kind === 'moderation_blocked' && facts.moderation !== undefined && { moderation: facts.moderation }),
      cause: { status: facts.status, codes: facts.codes },
    },
  );
}

const contentCodes = [
  'contentfilter',
  'contentpolicyviolation',
  'responsibleaipolicyviolation',
  'imagecontentpolicyviolation',
  'invalidprompt',
  'biopolicy',
];
const quotaCodes = [
  'insufficientquota',
  'creditbalanceexhausted',
  'projectspendlimitexceeded',
  'billinghardlimitreached',
];
/** What the Responses API says about pictures that it cannot read (CONTRACTS §5, row 13). */
const imageCodes = [
  'invalidimagefile',
  'invalidimage',
  'invalidimageformat',
  'invalidbaseimage',
  'invalidimageurl',
  'invalidimagemode',
  'imagetoolarge',
  'imagetoosmall',
  'imageparseerror',
  'imagefiletoolarge',
  'unsupportedimagemediatype',
  'emptyimagefile',
  'failedtodownloadimage',
  'imagefilenotfound',
];
const busyCodes = ['engineoverloaded', 'slowdown'];

const unknownOutcome =
  'The image service did not say whether it made the picture. It may have been billed; it was not asked for again.';
const seeLog = 'its operator can see why in the log';

/** What callers are told, for each kind that a rule can give; `%` stands for the parameter's name. */
const messages = {
  upstream_blocked: 'The image service is not available at the moment.',
  moderation_blocked: 'The request was refused by the image service’s safety system.',
  content_policy_violation:
    'The request was refused by the image service’s safety system: the prompt or the picture may hold content that its policy does not allow.',
  upstream_misconfigured: `The gateway’s image service is not set up correctly; ${seeLog}.`,
  upstream_auth_failed: `The image service did not accept the gateway’s credential; ${seeLog}.`,
  upstream_token_refused: 'The image service did not accept the gateway’s token, which is replaced now.',
  upstream_quota_exhausted: 'The quota of the image service is used up.',
  upstream_rate_limited: 'The image service is receiving too many requests.',
  upstream_unavailable: 'The image service is busy. Nothing was billed.',
  upstream_generation_failed: 'The image service failed to make the picture.',
  upstream_oddity: 'The image service refused a request that is correct, as it does now and then. Nothing was billed.',
  upstream_timeout: unknownOutcome,
  upstream_outcome_unknown: unknownOutcome,
  upstream_refused_size: 'The request is too large for the image service.',
  upstream_refused_content_type: 'The image service does not take this content type.',
  upstream_refused_content: 'The image service could not process the request.',
  upstream_refused_image: 'The image service could not read the image.',
  upstream_refused_request: 'The image service refused the request as invalid.',
  upstream_refused_value: 'The image service does not accept the value of %.',
  upstream_unknown_parameter: 'The image service does not know %.',
  upstream_unsupported_parameter: 'The image service does not support %.',
} satisfies Partial<Record<ErrorKind, string>>;

type Rule = readonly [applies: (facts: AzureErrorFacts) => boolean, kind: keyof typeof messages, outcome: Outcome];

/** Failures of which the status says enough, by the first rule that applies. A blocked resource quotes the content policy. */
const statusRules: readonly Rule[] = [
  [
    ({ status, message }) => status === 403 && /temporarily blocked/i.test(message),
    'upstream_blocked',
    'not-processed',
  ],
  [hasCode('moderationblocked'), 'moderation_blocked', 'refused'],
  [hasCode(...contentCodes), 'content_policy_violation', 'refused'],
  [({ message }) => /\bsafety system\b/i.test(message), 'content_policy_violation', 'refused'],
  [({ status }) => status >= 300 && status < 400, 'upstream_misconfigured', 'not-processed'],
  [({ renewal }) => renewal === 'now', 'upstream_token_refused', 'not-processed'],
  [hasStatus(401, 403), 'upstream_auth_failed', 'not-processed'],
  [hasCode(...quotaCodes), 'upstream_quota_exhausted', 'not-processed'],
  [hasStatus(429), 'upstream_rate_limited', 'not-processed'],
  [(facts) => facts.status === 503 && isBusy(facts), 'upstream_unavailable', 'not-processed'],
  [hasStatus(408, 504), 'upstream_timeout', 'unknown'],
  // Half an error says nothing: it may belong to a proxy, and the picture may have been made.
  [({ isCut }) => isCut, 'upstream_outcome_unknown', 'unknown'],
  [hasStatus(404, 405), 'upstream_misconfigured', 'not-processed'],
  [(facts) => hasStatus(500, 502, 503)(facts) && facts.hasErrorObject, 'upstream_generation_failed', 'failed'],
  [hasStatus(413), 'upstream_refused_size', 'refused'],
  [hasStatus(415), 'upstream_refused_content_type', 'refused'],
  [hasStatus(422), 'upstream_refused_content', 'refused'],
  [({ status }) => status > 400, 'upstream_outcome_unknown', 'unknown'],
];

/** What Azure says where the mistake is the operator's (CONTRACTS §5, rows 8 and 15). */
const misconfigured =
  /^Unknown model|^Model not supported with Responses API|^imagegen deployment must be provided|^There was an issue with your request/i;

/** What the body of a 400 says, and the `error` of an answer that calls itself a success. */
const bodyRules: readonly Rule[] = [
  // Now and then, to a form like any other (CONTRACTS §3.2).
  [
    (facts) => hasCode('unsupportedcontenttype')(facts) && /multipart\/form-data/i.test(facts.message),
    'upstream_oddity',
    'not-processed',
  ],
  [hasCode('ratelimitexceeded'), 'upstream_rate_limited', 'not-processed'],
  [({ message }) => misconfigured.test(message), 'upstream_misconfigured', 'not-processed'],
  [({ status, param }) => status === 400 && param === 'model', 'upstream_misconfigured', 'not-processed'],
  [hasCode('unknownparameter'), 'upstream_unknown_parameter', 'refused'],
  [hasCode('unsupportedparameter'), 'upstream_unsupported_parameter', 'refused'],
  [hasCode(...imageCodes), 'upstream_refused_image', 'refused'],
  [({ message }) => /unsupported mimetype/i.test(message), 'upstream_refused_image', 'refused'],
  [hasCode('invalidvalue', 'invalidpayload'), 'upstream_refused_value', 'refused'],
  [({ status, param }) => status === 400 && param !== undefined, 'upstream_refused_value', 'refused'],
  [hasStatus(400), 'upstream_refused_request', 'refused'],
];

const anythingElse: Rule = [() => true, 'upstream_generation_failed', 'failed'];

function hasStatus(...statuses: readonly number[]): Rule[0] {
  return ({ status }) => statuses.includes(status);
}

function hasCode(...wanted: readonly string[]): Rule[0] {
  return ({ codes }) => codes.some((code) => wanted.includes(code));
}

function isBusy(facts: AzureErrorFacts): boolean {
  return (
    facts.retryAfterMs !== undefined || hasCode(...busyCodes)(facts) || /\b(busy|overloaded)\b/i.test(facts.message)
  );
}
