import type { IncomingHttpHeaders } from 'node:http';
import { parseJson } from '../../codec/json-text.ts';
import type { ModerationDetails, UpstreamMessage } from '../../domain/gateway-error.ts';
import type { Renewal } from '../../upstream/credential.ts';
import { retryHint } from '../../upstream/retry-hint.ts';
import { memberOf } from './json-values.ts';

/** What an Azure response says about a failure. Codes are lower case letters only: Azure spells each in several ways. */
export type AzureErrorFacts = {
  /**
   * What decides: the HTTP status of a refusal; else what the error itself says (`status`, a code that is a number, or
   * the class that its code or type belongs to); `undefined`: nothing says it.
   */
  readonly status: number | undefined;
  readonly isCut: boolean;
  readonly renewal: Renewal | undefined;
  readonly hasErrorObject: boolean;
  readonly codes: readonly string[];
  readonly message: string;
  readonly param: string | undefined;
  readonly moderation: ModerationDetails | undefined;
  readonly retryAfterMs: number | undefined;
  /** For the operator: the HTTP status, and what Azure says in its own words. */
  readonly told: UpstreamMessage;
};

/** A response that is no success: `value` is the JSON of a body that arrived completely, `text` whatever arrived. */
export type ErrorResponse = {
  /** `undefined`: the error did not come with a status of HTTP, but in a stream or in a response of success. */
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly value: unknown;
  readonly text: string;
  /** The body broke off, or took too long. */
  readonly isCut: boolean;
  readonly renewal?: Renewal | undefined;
  /** What callers call a parameter; by default the same as the upstream. */
  readonly parameter?: ParameterNames | undefined;
};

export type ParameterNames = (name: string) => string | undefined;

export function readAzureErrorFacts(response: ErrorResponse): AzureErrorFacts {
  const { status, headers, value, text, isCut, renewal, parameter = (name) => name } = response;
  const error = unwrapped(memberOf(value, 'error'));
  const inner = innerErrors(error);
  const [code, type] = [memberOf(error, 'code'), memberOf(error, 'type')];
  const ownMessage = [memberOf(error, 'message'), error, memberOf(value, 'message')].find(isText);
  // API Management responds with a flat object; only its 429 is known well enough to be believed.
  const message = isText(memberOf(error, 'message')) || status === 429 ? (ownMessage ?? '') : '';
  const codes = [code, type, ...inner.map((one) => memberOf(one, 'code'))].filter(isText).map(plainCode);
  const param = parameterName(memberOf(error, 'param') ?? paramOfDetails(error) ?? paramOfMessage(message, codes));
  return {
    status: decisiveStatus(status, codes, [...statusNames.map((name) => memberOf(error, name)), code]),
    isCut,
    renewal,
    hasErrorObject: isText(code) || isText(memberOf(error, 'message')),
    codes,
    message,
    param: param && parameter(param),
    moderation: moderationOf(error, inner, message),
    retryAfterMs: retryHint(headers, message || text),
    told: { status, code: [code, type].find(isText), message: ownMessage },
  };
}

/** Brokers wrap errors in one another, in lists and in texts. */
function unwrapped(error: unknown, depth = 3): unknown {
  if (depth === 0) return error;
  if (Array.isArray(error)) return unwrapped(error[0], depth - 1);
  if (typeof error === 'string' && error.startsWith('{')) {
    const value = parseJson(error);
    return value === undefined ? error : unwrapped(memberOf(value, 'error') ?? value, depth - 1);
  }
  const within = memberOf(error, 'error');
  const saysItself = ['code', 'type', 'message'].some((name) => isText(memberOf(error, name)));
  return saysItself || within === undefined || within === null ? error : unwrapped(within, depth - 1);
}

/** Azure explains an error by another one inside, and that one by a further one. */
function innerErrors(error: unknown, depth = 3): unknown[] {
  const inner = memberOf(error, 'inner_error') ?? memberOf(error, 'innererror');
  return inner === undefined || depth === 0 ? [] : [inner, ...innerErrors(inner, depth - 1)];
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** Members in which an error without an HTTP status of its own is seen to carry one. */
const statusNames = ['status', 'status_code', 'statusCode'];

/** What OpenAI and Azure call errors of the caller, whatever the code beside it says. */
const userTypes = ['invalidrequesterror', 'imagegenerationusererror'];

/** The status that errors of a class have elsewhere, by what Azure and OpenAI call the class. */
const statusOfClass: ReadonlyMap<string, number> = new Map(
  Object.entries({
    400: [...userTypes, 'badrequest', 'badrequesterror', 'usererror', 'invalidrequest', 'validationerror'],
    401: ['authenticationerror', 'unauthorized', 'invalidapikey'],
    403: ['permissionerror', 'permissiondenied', 'forbidden'],
    404: ['deploymentnotfound'],
    408: ['requesttimeout', 'timeout', 'timeouterror'],
    429: ['ratelimiterror', 'ratelimitexceeded', 'toomanyrequests', 'requests', 'tokens'],
    500: ['servererror', 'imagegenerationservererror', 'internalservererror', 'internalerror', 'apierror'],
    503: ['serviceunavailable', 'engineoverloaded', 'overloadederror', 'slowdown'],
    504: ['gatewaytimeout'],
  }).flatMap(([status, names]) => names.map((name) => [name, Number(status)] as const)),
);

/**
 * A refusal of HTTP stands. A success, and a 5xx that may be that of a proxy in between, are overruled by what the
 * error object says: a caller's mistake stays one wherever it is told.
 */
function decisiveStatus(
  status: number | undefined,
  codes: readonly string[],
  told: readonly unknown[],
): number | undefined {
  if (status !== undefined && status >= 300 && status < 500) return status;
  const inner = told.map(errorStatus).find((found) => found !== undefined);
  const byClass = codes.map((code) => statusOfClass.get(code)).find((found) => found !== undefined);
  const isCallers = codes.some((code) => userTypes.includes(code) || callersCode.test(code));
  const found = inner ?? byClass;
  const said = isCallers && (found === undefined || found >= 500) ? 400 : found;
  return status === undefined || (said !== undefined && said < 500) ? (said ?? status) : status;
}

/** How codes begin that are about a parameter: `invalid_size`, `string_above_max_length`. */
const callersCode = /^(invalid|unsupported|missing|(string|integer|array|decimal)(above|below))/;

function errorStatus(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{3}\b/.test(value) ? Number(value.slice(0, 3)) : value;
  return typeof number === 'number' && number >= 400 && number < 600 ? number : undefined;
}

/** Foundry names the parameter in a list of details instead of in the error. */
function paramOfDetails(error: unknown): unknown {
  const details = memberOf(error, 'details');
  return Array.isArray(details) ? details.map((detail) => memberOf(detail, 'param')).find(isText) : undefined;
}

/** MAI-Image names the parameter in its message only: `… 'width' must be at least 768 pixels.` */
function paramOfMessage(message: string, codes: readonly string[]): string | undefined {
  return codes.includes('unsupportedrequestvalue') ? /'(\w{1,64})'/.exec(message)?.[1] : undefined;
}

function plainCode(code: string): string {
  return code
    .slice(0, 64)
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '');
}

/** A parameter's name as the upstream gives it, when it looks like one: no other text of the upstream is passed on. */
function parameterName(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z0-9_.[\]]{1,64}$/.test(value) ? value : undefined;
}

/** What the safety system says it has found, wherever it says so; only what it acted on, and never how severe it was. */
function moderationOf(error: unknown, inner: readonly unknown[], message: string): ModerationDetails | undefined {
  const details = memberOf(error, 'moderation_details');
  const stage = memberOf(details, 'moderation_stage');
  const listed = memberOf(details, 'categories');
  const places = [...inner, error, ...listOf(memberOf(error, 'details'))];
  const categories = [
    ...listOf(listed),
    ...places.flatMap(filteredCategories),
    ...(/safety_violations=\[([^\]]{0,500})\]/.exec(message)?.[1]?.split(/[\s,'"]+/) ?? []),
  ].filter((name) => isText(name) && /^[a-z_/-]{1,64}$/.test(name)) as string[];
  if (categories.length === 0 && !Array.isArray(listed)) return undefined;
  return {
    stage: stage === 'input' || stage === 'output' ? stage : 'unknown',
    categories: [...new Set(categories)],
  };
}

/** The categories with `filtered: true`, under each name that Azure has for the list. */
function filteredCategories(place: unknown): string[] {
  return ['content_filter_results', 'content_filter_result', 'prompt_filter_results'].flatMap((name) =>
    Object.entries(memberOf(place, name) ?? {}).flatMap(([category, result]) =>
      memberOf(result, 'filtered') === true ? [category] : [],
    ),
  );
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** What an error event in a stream holds: the error as a member, or flat. */
export const errorMembers = {
  error: 'keep',
  status: 'keep',
  status_code: 'keep',
  statusCode: 'keep',
  code: 'keep',
  message: 'keep',
  param: 'keep',
  details: 'keep',
  inner_error: 'keep',
  innererror: 'keep',
  moderation_details: 'keep',
} as const;
