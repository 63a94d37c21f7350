import type { Budget, Micros } from '../domain/budget.ts';
import type { JobId } from '../domain/job-store.ts';
import type { Account } from './account.ts';
import type { Accounts } from './accounts.ts';
import { type Admission, acquirePermits, type Permits } from './admission.ts';
import { estimateImage } from './estimate.ts';
import type { InFlight } from './in-flight.ts';
import { shuttingDown } from './interruption.ts';
import { persist } from './persist.ts';
import type { Planned } from './planned-request.ts';

/** What a generation holds before it begins. */
export type Held = { readonly permits: Permits; readonly account: Account };

type Holding = { readonly admission: Admission; readonly inFlight: InFlight; readonly accounts: Accounts };

/** What a generation of the consumer may hold. Throws a GatewayError when it is not to be had, and holds nothing then. */
export function holdPermits({ admission, inFlight, accounts }: Holding, job: JobId, planned: Planned): Held {
  const { request, caller, model } = planned;
  if (inFlight.isClosed) throw shuttingDown();
  if (caller.refusal) throw caller.refusal;
  const { count: images } = request;
  const account = accounts.open({
    ...{ job, consumer: caller.id, model: model.name, images },
    estimate: estimateOf(planned),
  });
  const permits = acquirePermits({
    // What waits in the background holds neither a place nor memory, and comes in turn.
    admission: caller.keeping?.isBackground ? undefined : admission,
    consumerUsage: caller.usage,
    consumer: caller.id,
    bodyBytes: caller.bodyBytes,
    images,
    account,
  });
  return { permits, account };
}

/** The same, once its images are sure to be within the consumer's quota and budget: who is refused shall know at once. */
export async function grantedPermits(from: Holding, job: JobId, planned: Planned): Promise<Held> {
  const held = holdPermits(from, job, planned);
  try {
    await held.permits.granted;
    return held;
  } catch (error) {
    held.permits.release(false);
    await settleNothing(held);
    throw error;
  }
}

/** What an image of a request can cost at most. */
export function estimateOf({ planned }: Planned): (budget: Budget) => Micros {
  return (budget) => estimateImage(planned.candidates, budget);
}

/** Of what does not become a generation, nothing was sent. */
export async function settleNothing({ account }: Pick<Held, 'account'>): Promise<void> {
  await persist(() => account.settle([]));
}
