import type { IncomingHttpHeaders } from 'node:http';
import { type ErrorKind, GatewayError, type ModerationDetails, type Outcome } from '../domain/gateway-error.ts';
import type { UpstreamAnswer } from '../upstream/client.ts';
import { readBounded } from '../upstream/read-bounded.ts';
import { retryHint } from './retry-hint.ts';

/** An error object is at most this long, and arrives within this time. */
const errorBodyLimits = { bytes: 64 * 1024, ms: 5_000 };

/** What an Azure answer says about a failure. Codes are lower case letters only: Azure spells each in several ways. */
type Facts = {
  readonly status: number;
  readonly hasErrorObject: boolean;
  readonly codes: readonly string[];
  readonly message: string;
  readonly param: string | undefined;
  readonly moderation: ModerationDetails | undefined;
  readonly retryAfterMs: number | undefined;
};

type Verdict = { readonly kind: ErrorKind; readonly outcome: Outcome; readonly message: string };

/** The meaning of an answer that is not a success. Reads its body, bounded, and never rejects. */
export async function azureAnswerError({ status, headers, body }: UpstreamAnswer): Promise<GatewayError> {
  const { text, end } = await readBounded(body, errorBodyLimits);
  // A body that only ends because the connection did may be cut: it proves nothing.
  const isFramed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return azureError(status, headers, end === 'complete' && isFramed ? parseObject(text) : undefined, text);
}

/** The meaning of an `error` member inside an answer with status 200, or of an operation that failed. */
export function azureErrorMember(error: unknown): GatewayError {
  return azureError(200, {}, { error });
}

function azureError(status: number, headers: IncomingHttpHeaders, body: unknown, text = ''): GatewayError {
  const facts = readFacts(status, headers, body, text);
  const { kind, outcome, message } = (rules.find((rule) => rule.applies(facts)) ?? anythingElse).verdict(facts);
  return new GatewayError(kind, message, {
    outcome,
    ...(outcome === 'refused' && facts.param !== undefined && { param: facts.param }),
    ...(outcome === 'not-processed' && facts.retryAfterMs !== undefined && { retryAfterMs: facts.retryAfterMs }),
    ...(kind === 'moderation_blocked' && facts.moderation !== undefined && { moderation: facts.moderation }),
    cause: { status, codes: facts.codes },
  });
}

const contentCodes = new Set([
  'contentfilter',
  'contentpolicyviolation',
  'moderationblocked',
  'responsibleaipolicyviolation',
  'imagecontentpolicyviolation',
  'invalidprompt',
  'biopolicy',
]);
const quotaCodes = new Set([
  'insufficientquota',
  'creditbalanceexhausted',
  'projectspendlimitexceeded',
  'billinghardlimitreached',
]);
const busyCodes = new Set(['engineoverloaded', 'slowdown']);
const badImageCodes = new Set(['invalidimagefile']);

const unknownMessage =
  'The image service did not say whether it made the picture. It may have been billed; it was not asked for again.';

type Rule = { readonly applies: (facts: Facts) => boolean; readonly verdict: (facts: Facts) => Verdict };

/** The first rule that applies decides. The order matters: a blocked resource quotes the content policy, too. */
const rules: readonly Rule[] = [
  {
    applies: ({ status, message }) => status === 403 && /temporarily blocked/i.test(message),
    verdict: always('upstream_blocked', 'not-processed', 'The image service is not available at the moment.'),
  },
  {
    applies: ({ codes }) => codes.includes('moderationblocked'),
    verdict: always('moderation_blocked', 'refused', 'The request was refused by the image service’s safety system.'),
  },
  {
    applies: ({ codes }) => codes.some((code) => contentCodes.has(code)),
    verdict: always(
      'content_policy_violation',
      'refused',
      'The request was refused by the image service’s safety system: the prompt or the picture may hold content that its policy does not allow.',
    ),
  },
  {
    applies: ({ status }) => status >= 300 && status < 400,
    verdict: always('upstream_misconfigured', 'not-processed', 'The image service is not set up correctly.'),
  },
  {
    applies: ({ status }) => status === 401 || status === 403,
    verdict: always(
      'upstream_auth_failed',
      'not-processed',
      'The image service did not accept the gateway’s credential.',
    ),
  },
  {
    applies: ({ status }) => status === 404 || status === 405,
    verdict: always('upstream_misconfigured', 'not-processed', 'The image service is not set up correctly.'),
  },
  {
    applies: ({ status, codes }) => status === 429 && codes.some((code) => quotaCodes.has(code)),
    verdict: always('upstream_quota_exhausted', 'not-processed', 'The quota of the image service is used up.'),
  },
  {
    applies: ({ status }) => status === 429,
    verdict: always('upstream_rate_limited', 'not-processed', 'The image service is receiving too many requests.'),
  },
  {
    applies: (facts) => facts.status === 503 && isBusy(facts),
    verdict: always('upstream_unavailable', 'not-processed', 'The image service is busy. Nothing was billed.'),
  },
  {
    applies: ({ status, hasErrorObject }) => [500, 502, 503].includes(status) && hasErrorObject,
    verdict: always('upstream_generation_failed', 'failed', 'The image service failed to make the picture.'),
  },
  {
    applies: ({ status }) => status === 408 || status === 504,
    verdict: always('upstream_timeout', 'unknown', unknownMessage),
  },
  {
    applies: ({ status }) => status > 400 && ![413, 415, 422].includes(status),
    verdict: always('upstream_outcome_unknown', 'unknown', unknownMessage),
  },
  {
    applies: ({ status, param, message }) =>
      status === 400 && ((param === 'model' && !/^Unknown parameter/.test(message)) || /^Unknown model/i.test(message)),
    verdict: always('upstream_misconfigured', 'not-processed', 'The image service is not set up correctly.'),
  },
  {
    applies: ({ codes, message }) =>
      codes.some((code) => badImageCodes.has(code)) || /unsupported mimetype/i.test(message),
    verdict: always('upstream_refused_image', 'refused', 'The image service could not read the image.'),
  },
  {
    applies: ({ codes }) => codes.includes('unknownparameter') || codes.includes('unsupportedparameter'),
    verdict: ({ param }) => refusal('upstream_refused_parameter', param, 'does not support'),
  },
  {
    applies: ({ codes, param }) =>
      codes.includes('invalidvalue') || codes.includes('invalidpayload') || param !== undefined,
    verdict: ({ param }) => refusal('upstream_refused_value', param, 'does not accept the value of'),
  },
  {
    applies: ({ status }) => status === 413,
    verdict: always('upstream_refused_size', 'refused', 'The request is too large for the image service.'),
  },
  {
    applies: ({ status }) => status >= 400,
    verdict: always('upstream_refused_request', 'refused', 'The image service refused the request as invalid.'),
  },
];

/** An `error` in a 200 whose code says nothing about content, and an operation that simply failed. */
const anythingElse: Rule = {
  applies: () => true,
  verdict: always('upstream_generation_failed', 'failed', 'The image service failed to make the picture.'),
};

function always(kind: ErrorKind, outcome: Outcome, message: string): () => Verdict {
  return () => ({ kind, outcome, message });
}

function refusal(kind: ErrorKind, param: string | undefined, verb: string): Verdict {
  const subject = param === undefined ? 'one of the request’s parameters' : `'${param}'`;
  return { kind, outcome: 'refused', message: `The image service ${verb} ${subject}.` };
}

function isBusy({ retryAfterMs, codes, message }: Facts): boolean {
  return (
    retryAfterMs !== undefined || codes.some((code) => busyCodes.has(code)) || /\b(busy|overloaded)\b/i.test(message)
  );
}

function readFacts(status: number, headers: IncomingHttpHeaders, body: unknown, text: string): Facts {
  const error = memberOf(body, 'error');
  const inner = memberOf(error, 'inner_error') ?? memberOf(error, 'innererror');
  const code = memberOf(error, 'code');
  // API Management answers a flat object; only its 429 is known well enough to be believed.
  const message = memberOf(error, 'message') ?? (status === 429 ? memberOf(body, 'message') : undefined);
  const codes = [code, memberOf(error, 'type'), memberOf(inner, 'code')].filter((value) => typeof value === 'string');
  return {
    status,
    hasErrorObject: typeof code === 'string' || typeof memberOf(error, 'message') === 'string',
    codes: codes.map((value) =>
      value
        .slice(0, 64)
        .toLowerCase()
        .replaceAll(/[^a-z]/g, ''),
    ),
    message: typeof message === 'string' ? message : '',
    param: parameterName(memberOf(error, 'param')),
    moderation: moderationDetails(memberOf(error, 'moderation_details')),
    retryAfterMs: retryHint(headers, typeof message === 'string' ? message : text),
  };
}

/** A parameter's name as the upstream gives it, when it looks like one: no other text of the upstream is passed on. */
function parameterName(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9_.[\]]{1,64}$/.test(value) ? value : undefined;
}

function moderationDetails(value: unknown): ModerationDetails | undefined {
  const stage = memberOf(value, 'moderation_stage');
  const categories = memberOf(value, 'categories');
  if (!Array.isArray(categories)) return undefined;
  return {
    stage: stage === 'input' || stage === 'output' ? stage : 'unknown',
    categories: categories.filter((name) => typeof name === 'string' && /^[a-z_/-]{1,64}$/.test(name)),
  };
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function parseObject(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
