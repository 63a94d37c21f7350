import { overloaded, queueLimits, type Release, Semaphore } from '../concurrency/semaphore.ts';
import { SharedBudget } from '../concurrency/shared-budget.ts';
import type { ConsumerLimits, Usage } from '../domain/consumer-limits.ts';
import type { Account } from './account.ts';

type Limits = {
  /** Requests that are worked on at once. */
  readonly inFlight: number;
  /** Bytes that all requests together may need in memory. */
  readonly heldBytes: number;
  readonly queueMs: number;
};

/** What one running generation needs beside its request: chunks of images on their way. */
const bytesInTransit = 1024 * 1024;

/** So much of a body is in memory at most; the rest of an upload is on the disk. */
const maxBodyBytes = 1024 * 1024;

/** Bodies of one consumer that may arrive at once: slow ones must not use up the connections of everybody. */
const maxArriving = 1_000;

/** A request's body while it arrives. */
export type Arrival = {
  /** Counts what has come. Throws `overloaded` where there is no memory for it. */
  receive(bytes: number): void;
  release: Release;
};

/**
 * Keeps the process from taking on more than it can hold: what is too much is refused at once. A request takes its place
 * when its body has arrived. Where several consumers may call, none of them holds more than half of the places and of the
 * memory.
 */
export class Admission {
  readonly #permits: Semaphore;
  readonly #places: SharedBudget;
  readonly #bytes: SharedBudget;
  readonly #arriving = new SharedBudget(Number.POSITIVE_INFINITY, { maxShare: maxArriving });

  /** @param consumers who may call */
  constructor(limits: Limits, consumers: { readonly size: number } = { size: 1 }) {
    this.#permits = new Semaphore(queueLimits(limits.inFlight, limits.queueMs));
    this.#places = new SharedBudget(placesOf(limits), { consumers });
    this.#bytes = new SharedBudget(limits.heldBytes, { consumers });
  }

  /** Sets other limits, for whoever comes from now on; what was let in stays in, and counts. */
  resize(limits: Limits): void {
    this.#permits.resize(queueLimits(limits.inFlight, limits.queueMs));
    this.#places.resize(placesOf(limits));
    this.#bytes.resize(limits.heldBytes);
  }

  get heldBytes(): number {
    return this.#bytes.held;
  }

  /** How many requests wait for a permit. */
  get waiting(): number {
    return this.#permits.waiting;
  }

  /** Whether a request would be refused as things are, so that its body is not worth receiving. */
  isFullFor(consumer: string, bytes: number): boolean {
    return !this.#places.hasRoomFor(consumer, 1) || !this.#bytes.hasRoomFor(consumer, neededFor(bytes));
  }

  /** Lets a body arrive. Throws `overloaded` where too many bodies of the consumer do already. */
  arrive(consumer: string): Arrival {
    const place = this.#arriving.open(consumer);
    if (!place.grow(1)) throw overloaded();
    const reservation = this.#bytes.open(consumer);
    let left = maxBodyBytes;
    let hasArrived = false;
    return {
      receive: (bytes) => {
        const counted = Math.min(bytes, left);
        if (!hasArrived && !reservation.grow(counted)) throw overloaded();
        left -= counted;
      },
      release: () => {
        hasArrived = true;
        reservation.release();
        place.release();
      },
    };
  }

  /** Reserves a place and memory for a request whose body, of so many bytes, has arrived. Throws `overloaded`. */
  reserve(consumer: string, bytes: number): Release {
    const place = this.#places.open(consumer);
    const memory = this.#bytes.open(consumer);
    const release = () => {
      place.release();
      memory.release();
    };
    if (place.grow(1) && memory.grow(neededFor(bytes))) return release;
    release();
    throw overloaded();
  }

  /** A permit that is free now. */
  tryAcquire(): Release | undefined {
    return this.#permits.tryAcquire();
  }

  /**
   * Resolves with the permit of a request to be worked on. Rejects with the signal's reason, and with `overloaded`; a patient
   * caller waits for as long as it takes.
   */
  acquire(signal: AbortSignal, options?: { readonly isPatient: boolean }): Promise<Release> {
    return this.#permits.acquire(signal, options);
  }
}

/** One third of them are worked on, the others wait. */
function placesOf({ inFlight }: Limits): number {
  return 3 * inFlight;
}

function neededFor(bytes: number): number {
  return Math.min(bytes, maxBodyBytes) + bytesInTransit;
}

/**
 * What a generation holds from its start until it is settled, whoever is connected: its place and its memory in the process,
 * one of the generations that its consumer may run at once, and images of the consumer's quota.
 */
export type Permits = {
  /** Rejects with `rate_limited` or `budget_exceeded` when the consumer's limits or its budget do not allow it; `undefined`: nothing is left to be asked. */
  readonly granted: Promise<void> | undefined;
  /** What is left of the quota, as far as that is known; `undefined`: there is none. */
  readonly imageQuota: (() => Usage | undefined) | undefined;
  /** Called once. @param isSent whether a paid call may have been sent; if not, the images are refunded */
  release(isSent: boolean): void;
};

/** Of a job that was admitted before, by another process. */
export const heldNothing: Permits = { granted: undefined, imageQuota: undefined, release() {} };

type Needed = {
  /** `undefined`: it needs no place. */
  readonly admission: Admission | undefined;
  /** The limits of the consumer; `undefined`: it has none. */
  readonly consumerUsage: ConsumerLimits | undefined;
  readonly consumer: string;
  readonly bodyBytes: number;
  readonly images: number;
  readonly account: Pick<Account, 'isLimited' | 'reserve'>;
};

/** Throws `rate_limited`, `overloaded` or `invalid_value`, and holds nothing then. */
export function acquirePermits({ admission, consumerUsage, consumer, bodyBytes, images, account }: Needed): Permits {
  using acquired = new DisposableStack();
  const running = consumerUsage?.acquire();
  if (running) acquired.defer(running.release);
  if (admission) acquired.defer(admission.reserve(consumer, bodyBytes));
  const reservation = consumerUsage?.reserveImages(images);
  const held = acquired.move();
  return {
    granted: withMoney(allOf([running?.granted, reservation?.granted]), account),
    imageQuota: reservation?.usage,
    release(isSent) {
      held.dispose();
      if (!isSent) reservation?.refund();
    },
  };
}

function allOf(waits: readonly (Promise<void> | undefined)[]): Promise<void> | undefined {
  const pending = waits.filter((wait) => wait !== undefined);
  if (pending.length < 2) return pending[0];
  const all = Promise.all(pending).then(() => {});
  // The generation may have ended before this is known.
  all.catch(() => {});
  return all;
}

/** The money comes last: it is not worth asking for where a limit is reached. */
function withMoney(before: Promise<void> | undefined, account: Needed['account']): Promise<void> | undefined {
  if (!account.isLimited) return before;
  const granted = (async () => {
    await before;
    await account.reserve();
  })();
  // The generation may have ended before this is known.
  granted.catch(() => {});
  return granted;
}
