import { describe, expect, test } from 'vitest';
import { type ErrorKind, GatewayError, type Outcome } from '../../src/domain/gateway-error.ts';
import { callerViews } from '../../src/http/error-response.ts';
import { isChatBilled, isTargetFault, repeatAfter } from '../../src/targets/outcome.ts';

const kinds = Object.keys(callerViews) as ErrorKind[];
const outcomes: (Outcome | undefined)[] = [undefined, 'not-processed', 'failed', 'refused', 'unknown'];
const all = kinds.flatMap((kind) => outcomes.map((outcome) => ({ kind, outcome })));
const errorOf = (kind: ErrorKind, outcome: Outcome | undefined) =>
  new GatewayError(kind, 'failed', outcome && { outcome });

describe('repeatAfter', () => {
  test('has an answer for every kind and outcome', () => {
    for (const { kind, outcome } of all) {
      const repeat = repeatAfter(errorOf(kind, outcome));
      expect(['anywhere', 'elsewhere', 'once more', 'if allowed', 'nowhere']).toContain(repeat);
    }
  });

  test('repeats nothing by itself that was refused, may be billed, or has no known outcome', () => {
    for (const kind of kinds) {
      expect(repeatAfter(errorOf(kind, 'refused'))).toBe('nowhere');
      expect(repeatAfter(errorOf(kind, undefined))).toBe('nowhere');
      expect(repeatAfter(errorOf(kind, 'unknown'))).toBe(kind === 'client_gone' ? 'nowhere' : 'if allowed');
    }
  });

  test.each([
    ['upstream_unavailable', 'not-processed', 'anywhere'],
    ['upstream_rate_limited', 'not-processed', 'anywhere'],
    ['upstream_generation_failed', 'failed', 'anywhere'],
    ['upstream_auth_failed', 'not-processed', 'elsewhere'],
    ['upstream_misconfigured', 'not-processed', 'elsewhere'],
    ['upstream_quota_exhausted', 'not-processed', 'elsewhere'],
    ['upstream_blocked', 'not-processed', 'elsewhere'],
    ['upstream_declined', 'not-processed', 'elsewhere'],
    ['upstream_transient', 'not-processed', 'once more'],
    ['upstream_timeout', 'unknown', 'if allowed'],
    ['content_policy_violation', 'refused', 'nowhere'],
    ['deadline_exceeded', 'not-processed', 'nowhere'],
    ['overloaded', 'not-processed', 'nowhere'],
    ['upstream_no_image', 'failed', 'nowhere'],
    ['upstream_incomplete', 'failed', 'nowhere'],
    ['upstream_token_refused', 'not-processed', 'once more'],
    ['client_gone', 'not-processed', 'nowhere'],
  ] as const)('%s, %s: %s', (kind, outcome, repeat) => {
    expect(repeatAfter(errorOf(kind, outcome))).toBe(repeat);
  });
});

describe('a target', () => {
  test('is not to blame for its rate, for what was refused, or for a caller that left', () => {
    for (const { kind, outcome } of all) {
      const isFault = isTargetFault(errorOf(kind, outcome));
      const isCallers = kind === 'client_gone' || isChatBilled(kind);
      if (isCallers || kind === 'upstream_rate_limited') expect(isFault).toBe(false);
      else if (outcome === 'refused') expect(isFault).toBe(kind === 'upstream_unavailable');
      else if (outcome === 'failed' || outcome === 'unknown') expect(isFault).toBe(true);
    }
  });
});
