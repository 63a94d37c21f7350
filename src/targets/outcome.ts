import type { ErrorKind, GatewayError } from '../domain/gateway-error.ts';

/**
 * Where a failed call may be repeated.
 * - `anywhere`: nothing was made; the same target may do it after a wait, another one at once.
 * - `elsewhere`: this target is of no use for this request at the moment.
 * - `once more`: a transient failure, which rarely happens twice, or a token that had to be replaced.
 * - `if allowed`: it may have run and be billed; only the operator can want it again.
 * - `nowhere`: the request itself was refused, or nobody waits for it any more.
 */
export type Repeat = 'anywhere' | 'elsewhere' | 'once more' | 'if allowed' | 'nowhere';

/** A retry at the same target would be of no use: credential, address, quota, a blocked resource, an undescribed refusal. */
const uselessTargets: readonly ErrorKind[] = [
  'upstream_auth_failed',
  'upstream_misconfigured',
  'upstream_quota_exhausted',
  'upstream_blocked',
  'upstream_declined',
];

/** The gateway itself had no time, no room or no record for the call: no other target helps. */
const refusedHere: readonly ErrorKind[] = ['deadline_exceeded', 'overloaded', 'store_unavailable', 'storage_full'];

/** What a failure allows. Total: whatever is not known to be harmless is treated as if it had been billed. */
export function repeatAfter({ kind, outcome }: GatewayError): Repeat {
  if (kind === 'client_gone' || outcome === undefined || outcome === 'refused') return 'nowhere';
  if (outcome === 'unknown') return 'if allowed';
  if (refusedHere.includes(kind)) return 'nowhere';
  if (isChatBilled(kind)) return 'nowhere';
  if (kind === 'upstream_transient' || kind === 'upstream_token_refused') return 'once more';
  return uselessTargets.includes(kind) ? 'elsewhere' : 'anywhere';
}

/** Whether a failure says something about the target's health, and not about one request or its rate. */
export function isTargetFault({ kind, outcome }: GatewayError): boolean {
  if (kind === 'upstream_rate_limited' || isChatBilled(kind) || kind === 'client_gone') return false;
  return outcome === 'failed' || outcome === 'unknown' || kind === 'upstream_unavailable';
}

/** A chat model was paid for its words, or for work that a limit has cut; others would do the same. */
export function isChatBilled(kind: ErrorKind): boolean {
  return kind === 'upstream_no_image' || kind === 'upstream_incomplete';
}

/** The prompt, or what was made from it, was refused: nobody says whether that is billed. */
export function isContentRefusal(kind: ErrorKind): boolean {
  return kind === 'content_policy_violation' || kind === 'moderation_blocked';
}
