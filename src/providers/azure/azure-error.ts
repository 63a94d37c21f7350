import { parseJson } from '../../codec/json-text.ts';
import { type ErrorKind, GatewayError } from '../../domain/gateway-error.ts';
import type { ErrorResponseHead } from '../../upstream/azure-pass-through.ts';
import type { UpstreamResponse } from '../../upstream/client.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import { isFramed, readBounded } from '../../upstream/read-bounded.ts';
import { type AzureErrorFacts, type ParameterNames, readAzureErrorFacts } from './azure-error-facts.ts';
import { anythingElse, messages, rules } from './azure-error-rules.ts';

/** An error object is at most this long, and arrives within this time. */
export const errorBodyLimits = { bytes: 64 * 1024, ms: 5_000 };

/**
 * Rejects with what a response means that is not a success, whose body it reads, bounded.
 * @param deployment for the operator's hint
 */
export async function requireSuccess(
  response: UpstreamResponse,
  parameter?: ParameterNames,
  deployment?: string,
): Promise<void> {
  const { status, headers, body, renewal } = response;
  if (status >= 200 && status <= 299) return;
  const beginning = await readBounded(body, errorBodyLimits);
  throw meaningOf(factsOfResponse({ ...beginning, status, headers, renewal }, parameter), deployment);
}

/** What a response that is not a success says, as far as its body was read. */
export function factsOfResponse(
  { status, headers, text, end, renewal }: ErrorResponseHead,
  parameter?: ParameterNames,
): AzureErrorFacts {
  const value = end === 'complete' && isFramed(headers) ? parseJson(text) : undefined;
  return readAzureErrorFacts({ status, headers, value, text, isCut: end === 'broken', renewal, parameter });
}

/**
 * The meaning of an error without an HTTP status of its own: of an operation or a response that failed. What says nothing
 * more has failed, as its surroundings say.
 */
export function azureErrorMember(error: unknown, parameter?: ParameterNames): GatewayError {
  return meaningOf(factsOfMember(error, parameter));
}

/**
 * The meaning of an `error` in a stream or a response that began as a success: as the same error with its own status. One
 * of no known kind and without a status leaves open what was made and billed besides.
 */
export function errorInSuccess(error: unknown, parameter?: ParameterNames): GatewayError {
  const facts = factsOfMember(error, parameter);
  const meaning = meaningOf(facts);
  return meaning.outcome === 'refused' || facts.status !== undefined ? meaning : invalidResponse(meaning);
}

/** The meaning of an `error` of one item among others, which may hold images: none of them is bought again. */
export function errorInItem(error: unknown): GatewayError {
  const meaning = azureErrorMember(error);
  return meaning.outcome === 'refused' ? meaning : invalidResponse(meaning);
}

function factsOfMember(error: unknown, parameter?: ParameterNames): AzureErrorFacts {
  return readAzureErrorFacts({ status: undefined, headers: {}, value: { error }, text: '', isCut: false, parameter });
}

/** What the first rule that applies makes of an error. @param deployment for the operator's hint */
export function meaningOf(facts: AzureErrorFacts, deployment?: string): GatewayError {
  const { kind, outcome, hint, isTargetWide } = rules.find(({ applies }) => applies(facts)) ?? anythingElse;
  const param = facts.param ?? (kind === 'upstream_refused_image' ? 'image' : undefined);
  return new GatewayError(
    kind,
    messages[kind].replace('%', () => (facts.param === undefined ? 'one of the parameters' : `'${facts.param}'`)),
    {
      outcome,
      // A 400 may always be about what was asked, whatever its text says.
      isTargetWide: isTargetWide === true && facts.status !== 400,
      param: outcome === 'refused' ? param : undefined,
      retryAfterMs: asksForWait.includes(kind) ? facts.retryAfterMs : undefined,
      moderation: contentKinds.includes(kind) ? facts.moderation : undefined,
      hint: hint?.(deployment),
      upstream: facts.told,
    },
  );
}

/** Failures whose hint is about the target's load, and not about one request. */
const asksForWait: readonly ErrorKind[] = ['upstream_rate_limited', 'upstream_unavailable', 'upstream_quota_exhausted'];

const contentKinds: readonly ErrorKind[] = ['moderation_blocked', 'content_policy_violation'];
