import type { ConsumerLimits, Usage } from '../domain/consumer-limits.ts';
import type { Admission } from './admission.ts';

/**
 * What a generation holds from its start until it is settled, whoever is connected: its place and its memory in the process,
 * one of the generations that its consumer may run at once, and images of the consumer's quota.
 */
export type Permits = {
  /** Rejects with `rate_limited` when the quota has not so many images left; `undefined`: there is no quota. */
  readonly granted: Promise<void> | undefined;
  /** What is left of the quota, as far as that is known; `undefined`: there is none. */
  readonly imageQuota: (() => Usage | undefined) | undefined;
  /** Called once. @param isSent whether a paid call may have been sent; if not, the images are refunded */
  release(isSent: boolean): void;
};

type Needed = {
  readonly admission: Admission;
  /** The limits of the consumer; `undefined`: it has none. */
  readonly consumerUsage: ConsumerLimits | undefined;
  readonly consumer: string;
  readonly bodyBytes: number;
  readonly images: number;
};

/** Throws `rate_limited`, `overloaded` or `invalid_value`, and holds nothing then. */
export function acquirePermits({ admission, consumerUsage, consumer, bodyBytes, images }: Needed): Permits {
  using acquired = new DisposableStack();
  if (consumerUsage) acquired.defer(consumerUsage.acquire());
  acquired.defer(admission.enter(consumer, bodyBytes));
  const reservation = consumerUsage?.reserveImages(images);
  const held = acquired.move();
  return {
    granted: reservation?.granted,
    imageQuota: reservation?.usage,
    release(isSent) {
      held.dispose();
      if (!isSent) reservation?.refund();
    },
  };
}
