import type { ErrorKind, Outcome } from '../../domain/gateway-error.ts';
import type { AzureErrorFacts } from './azure-error-facts.ts';

const contentCodes = [
  'contentfilter',
  'contentpolicyviolation',
  'responsibleaipolicyviolation',
  'imagecontentpolicyviolation',
  'invalidprompt',
  'biopolicy',
  'contentsafetyviolation',
];
const quotaCodes = [
  'insufficientquota',
  'creditbalanceexhausted',
  'projectspendlimitexceeded',
  'billinghardlimitreached',
];
/** What the Responses API says about images that it cannot read. */
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
  'The image service did not say whether it made the image. It may have been billed; it was not retried.';
const seeLog = 'its operator can see why in the log';

/** What callers are told, for each kind that a rule can give; `%` stands for the parameter's name. */
export const messages = {
  upstream_blocked: 'The image service is not available at the moment.',
  moderation_blocked: 'The request was refused by the image service’s safety system.',
  content_policy_violation:
    'The request was refused by the image service’s safety system: the prompt or the image may hold content that its policy does not allow.',
  upstream_misconfigured: `The gateway’s image service is not set up correctly; ${seeLog}.`,
  upstream_auth_failed: `The image service did not accept the gateway’s credential; ${seeLog}.`,
  upstream_token_refused: 'The image service did not accept the gateway’s token, which is replaced now.',
  upstream_quota_exhausted: 'The quota of the image service is used up.',
  upstream_rate_limited: 'The image service is receiving too many requests.',
  upstream_unavailable: 'The image service is busy. Nothing was billed.',
  upstream_declined: 'The image service does not serve this request at the moment. Nothing was billed.',
  upstream_generation_failed: 'The image service failed to make the image.',
  upstream_transient:
    'The image service refused a request that is correct, as it does now and then. Nothing was billed.',
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

/** What a failure means where it applies. */
export type Rule = {
  readonly applies: (facts: AzureErrorFacts) => boolean;
  readonly kind: keyof typeof messages;
  readonly outcome: Outcome;
  /** What the operator can do, where the rule knows. */
  readonly hint?: (deployment: string | undefined) => string;
  readonly isTargetWide?: boolean;
};

/** The operator's set-up is wrong for this request; whether for others, too, is not known. */
function misconfigured(applies: Rule['applies'], hint?: string, isTargetWide = false): Rule {
  return {
    applies,
    kind: 'upstream_misconfigured',
    outcome: 'not-processed',
    isTargetWide,
    ...(hint !== undefined && { hint: () => hint }),
  };
}

function refused(applies: Rule['applies'], kind: Rule['kind']): Rule {
  return { applies, kind, outcome: 'refused' };
}

const noDeployment: NonNullable<Rule['hint']> = (deployment) =>
  `no deployment ${deployment === undefined ? 'of this name' : `'${deployment}'`} in this resource; a new one needs up to five minutes`;

const retired = 'the model behind this deployment is retired: deploy a current one, and point the target at it';
const wrongApiVersion = 'this resource does not know the api-version of the target: set `apiVersion` to a current one';
const noImageModel =
  'the deployment runs a model that makes no images: deploy an image model, or put a chat model behind the provider foundry-agent';
const noImageDeployment = '`imageDeployment` of the target names no deployment that its project can use';
const wrongPath =
  'this path does not exist at the resource: check `apiVersion` (edits need 2025-04-01-preview or newer), then `baseURL`';

/** The first rule that applies decides. A blocked resource quotes the content policy, so it comes before that. */
export const rules: readonly Rule[] = [
  {
    applies: ({ status, message }) => status === 403 && /temporarily blocked/i.test(message),
    kind: 'upstream_blocked',
    outcome: 'not-processed',
    isTargetWide: true,
  },
  refused(hasCode('moderationblocked'), 'moderation_blocked'),
  refused(hasCode(...contentCodes), 'content_policy_violation'),
  // A safety system that is out of order refuses nothing.
  refused(
    ({ status = 0, message }) => status < 500 && status !== 429 && /\bsafety system\b/i.test(message),
    'content_policy_violation',
  ),
  misconfigured(
    ({ status = 0 }) => status >= 300 && status < 400,
    'the address redirects, which is never followed: write the final address into `baseURL`',
  ),
  {
    applies: ({ renewal }) => renewal === 'now',
    kind: 'upstream_token_refused',
    outcome: 'not-processed',
  },
  {
    applies: hasStatus(401),
    kind: 'upstream_auth_failed',
    outcome: 'not-processed',
    isTargetWide: true,
    hint: () =>
      'Azure does not accept the credential of the target: check that `apiKey` or `auth` is one of this resource',
  },
  {
    applies: hasStatus(403),
    kind: 'upstream_auth_failed',
    outcome: 'not-processed',
    isTargetWide: true,
    hint: () => 'the resource refuses this network or identity: check its firewall, and the roles of the identity',
  },
  {
    applies: hasCode(...quotaCodes),
    kind: 'upstream_quota_exhausted',
    outcome: 'not-processed',
    isTargetWide: true,
  },
  { applies: hasStatus(429), kind: 'upstream_rate_limited', outcome: 'not-processed' },
  {
    applies: (facts) => facts.status === 503 && isBusy(facts),
    kind: 'upstream_unavailable',
    outcome: 'not-processed',
  },
  { applies: hasStatus(408, 504), kind: 'upstream_timeout', outcome: 'unknown' },
  // Half an error says nothing: it may belong to a proxy, and the image may have been made.
  { applies: ({ isCut }) => isCut, kind: 'upstream_outcome_unknown', outcome: 'unknown' },
  {
    applies: (facts) => facts.status === 404 && hasCode('deploymentnotfound')(facts),
    kind: 'upstream_misconfigured',
    outcome: 'not-processed',
    isTargetWide: true,
    hint: noDeployment,
  },
  misconfigured(hasCode('operationnotsupported'), noImageModel),
  misconfigured(hasCode('modeldeprecated'), retired, true),
  misconfigured(saysOfItself(/\bdeprecated and no longer available\b|\bmodel\b.{0,80}\bretired\b/i), retired),
  misconfigured(hasCode('invalidapiversionparameter', 'unsupportedapiversion'), wrongApiVersion),
  misconfigured(
    saysOfItself(
      /\bapi[- ]version\b.{0,80}\b(not supported|not allowed|invalid|unsupported)|\b(unsupported|invalid) api[- ]version\b/i,
    ),
    wrongApiVersion,
  ),
  misconfigured(
    (facts) => facts.status === 404 && /\bagent\b.{0,200}\b(not found|doesn't exist)\b/i.test(facts.message),
    'the project has no agent of this name',
  ),
  misconfigured(hasStatus(404, 405), wrongPath),
  misconfigured(hasStatus(410), retired, true),
  misconfigured(hasStatus(402), 'the Azure account has to be paid, or its spending limit raised', true),
  {
    applies: (facts) => hasStatus(500, 502, 503)(facts) && facts.hasErrorObject,
    kind: 'upstream_generation_failed',
    outcome: 'failed',
  },
  refused(hasStatus(413), 'upstream_refused_size'),
  refused(hasStatus(415), 'upstream_refused_content_type'),
  refused(hasStatus(422), 'upstream_refused_content'),
  { applies: hasStatus(409), kind: 'upstream_outcome_unknown', outcome: 'unknown' },
  // A complete refusal that nobody has described: nothing was made here, and another target may well make it.
  {
    applies: ({ status = 0, hasErrorObject }) => status > 400 && status < 500 && hasErrorObject,
    kind: 'upstream_declined',
    outcome: 'not-processed',
  },
  { applies: ({ status = 0 }) => status > 400, kind: 'upstream_outcome_unknown', outcome: 'unknown' },
  // Now and then, to a form like any other (openai/openai-python#2749).
  {
    applies: (facts) => hasCode('unsupportedcontenttype')(facts) && /multipart\/form-data/i.test(facts.message),
    kind: 'upstream_transient',
    outcome: 'not-processed',
  },
  misconfigured(
    says(/^(imagegen deployment must be provided|There was an issue with your request)/i),
    noImageDeployment,
  ),
  misconfigured(
    says(/^Model not supported with Responses API/i),
    'the chat deployment of the target cannot call tools: use another model',
  ),
  {
    applies: says(/^Unknown model|^The model '.{0,100}' does not exist\b/i),
    kind: 'upstream_misconfigured',
    outcome: 'not-processed',
    hint: noDeployment,
  },
  misconfigured(({ status, param }) => status === 400 && param === 'model'),
  refused(hasCode('unknownparameter'), 'upstream_unknown_parameter'),
  refused(hasCode('unsupportedparameter'), 'upstream_unsupported_parameter'),
  refused(hasCode(...imageCodes), 'upstream_refused_image'),
  refused(({ message }) => /unsupported mimetype/i.test(message), 'upstream_refused_image'),
  refused(hasCode('invalidvalue', 'invalidpayload', 'unsupportedrequestvalue'), 'upstream_refused_value'),
  // Without a status it stands in a response that has failed, or in an event.
  refused(({ status = 400, param }) => status === 400 && param !== undefined, 'upstream_refused_value'),
  refused(hasStatus(400), 'upstream_refused_request'),
];

/** For what no rule describes. */
export const anythingElse: Rule = { applies: () => true, kind: 'upstream_generation_failed', outcome: 'failed' };

function hasStatus(...statuses: readonly number[]): Rule['applies'] {
  return ({ status = 0 }) => statuses.includes(status);
}

function hasCode(...wanted: readonly string[]): Rule['applies'] {
  return ({ codes }) => codes.some((code) => wanted.includes(code));
}

function says(pattern: RegExp): Rule['applies'] {
  return ({ message }) => pattern.test(message);
}

/** A refusal that is about no parameter says so: a message about one may quote what the caller has written. */
function saysOfItself(pattern: RegExp): Rule['applies'] {
  return ({ status = 0, param, message }) =>
    status >= 400 && status < 500 && param === undefined && pattern.test(message);
}

function isBusy(facts: AzureErrorFacts): boolean {
  return (
    facts.retryAfterMs !== undefined || hasCode(...busyCodes)(facts) || /\b(busy|overloaded)\b/i.test(facts.message)
  );
}
