import type { IncomingHttpHeaders } from 'node:http';
import type { ModerationDetails } from '../domain/gateway-error.ts';
import type { Renewal } from '../upstream/credential.ts';
import { retryHint } from '../upstream/retry-hint.ts';

/** What an Azure answer says about a failure. Codes are lower case letters only: Azure spells each in several ways. */
export type AzureErrorFacts = {
  readonly status: number;
  readonly isCut: boolean;
  readonly renewal: Renewal | undefined;
  readonly hasErrorObject: boolean;
  readonly codes: readonly string[];
  readonly message: string;
  readonly param: string | undefined;
  readonly moderation: ModerationDetails | undefined;
  readonly retryAfterMs: number | undefined;
};

/** An answer that is no success: `value` is the JSON of a body that arrived completely, `text` whatever arrived. */
export type ErrorAnswer = {
  readonly status: number;
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

export function readAzureErrorFacts(answer: ErrorAnswer): AzureErrorFacts {
  const { status, headers, value, text, isCut, renewal, parameter = (name) => name } = answer;
  const param = parameterName(memberOf(memberOf(value, 'error'), 'param'));
  const error = memberOf(value, 'error');
  const inner = memberOf(error, 'inner_error') ?? memberOf(error, 'innererror');
  const code = memberOf(error, 'code');
  // API Management answers a flat object; only its 429 is known well enough to be believed.
  const message = memberOf(error, 'message') ?? (status === 429 ? memberOf(value, 'message') : undefined);
  const codes = [code, memberOf(error, 'type'), memberOf(inner, 'code')].filter((value) => typeof value === 'string');
  return {
    status,
    isCut,
    renewal,
    hasErrorObject: typeof code === 'string' || typeof memberOf(error, 'message') === 'string',
    codes: codes.map(plainCode),
    message: typeof message === 'string' ? message : '',
    param: param && parameter(param),
    moderation: moderationDetails(memberOf(error, 'moderation_details')),
    retryAfterMs: retryHint(headers, typeof message === 'string' ? message : text),
  };
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

function moderationDetails(value: unknown): ModerationDetails | undefined {
  const stage = memberOf(value, 'moderation_stage');
  const categories = memberOf(value, 'categories');
  if (!Array.isArray(categories)) return undefined;
  return {
    stage: stage === 'input' || stage === 'output' ? stage : 'unknown',
    categories: categories.filter((name) => typeof name === 'string' && /^[a-z_/-]{1,64}$/.test(name)),
  };
}

/** A member of an object, and `undefined` of anything else. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
