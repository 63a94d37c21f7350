import type { Micros } from '../domain/budget.ts';
import type { Cost } from '../domain/cost.ts';
import type { JobAttempt } from '../domain/job-store.ts';
import { type CallCharge, chargesOfAttempts } from '../domain/ledger.ts';
import type { UpstreamCall } from './upstream-call.ts';

type Ended = {
  /** Calls that an earlier owner of the job has made. */
  readonly earlier: readonly JobAttempt[];
  /** All images of the job were had. */
  readonly isDone: boolean;
  /** The open calls go on elsewhere, and are counted there. */
  readonly isPart: boolean;
};

/** What the calls of a generation have cost, as far as that is known. */
export function chargesOf(calls: readonly UpstreamCall[], { earlier, isDone, isPart }: Ended): readonly CallCharge[] {
  const own = calls.filter(({ attempt, isOpen }) => attempt.sent && !(isPart && isOpen)).map(chargeOf);
  const known = new Set(calls.map(({ imageIds }) => imageIds[0]));
  return isPart
    ? own
    : [
        ...own,
        ...chargesOfAttempts(
          earlier.filter(({ images }) => !known.has(images[0])),
          isDone,
        ),
      ];
}

function chargeOf(call: UpstreamCall): CallCharge {
  const { images = 0, tokens, bill, target, count } = call.record('abandoned');
  const { cost, mayBeMore, isEstimate } = bill;
  return {
    id: call.imageIds[0] ?? '',
    target,
    asked: count,
    images,
    tokens,
    cost: cost === undefined || mayBeMore ? undefined : inMicros(cost),
    isEstimate,
    isUnknown: mayBeMore,
  };
}

/** Rounded up to a whole millionth: a token may cost less than that. */
function inMicros(cost: Cost): Micros {
  return Number((cost + 999_999n) / 1_000_000n);
}
