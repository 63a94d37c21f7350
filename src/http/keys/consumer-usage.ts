import { Semaphore } from '../../concurrency/semaphore.ts';
import type { Budget } from '../../domain/budget.ts';
import type { Consumer, KeyLimits } from '../../domain/consumer.ts';
import type { ConsumerLimits, QuotaReservation, RunningPermit, Usage } from '../../domain/consumer-limits.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { SharedLimits } from '../../domain/shared-limits.ts';
import { RateWindow, type UsageWindow } from './rate-window.ts';
import { SharedWindow } from './shared-window.ts';

/** A request that was counted. */
export type CountedRequest = {
  readonly usage: Usage;
  /** `rate_limited`, where none was left. */
  readonly refusal: GatewayError | undefined;
  /** Takes it back: it has cost nothing. Resolves with what is used then. */
  refund(): Promise<Usage>;
};

/** What one consumer may do, and what it has used; all of its keys share it. */
export class ConsumerUsage implements ConsumerLimits {
  readonly name: string;
  #models: ReadonlySet<string> | undefined;
  /** What it may spend; `undefined`: as much as it likes. */
  budget: Budget | undefined;
  /** It may see what all consumers have spent, and the state of the targets. */
  isAdmin = false;
  #limits: KeyLimits;
  #requests: UsageWindow | undefined;
  #images: UsageWindow | undefined;
  readonly #shared: SharedLimits | undefined;
  readonly #running = new Semaphore({ permits: Number.POSITIVE_INFINITY });

  /** @param shared where several gateways count together */
  constructor(consumer: Consumer, shared?: SharedLimits) {
    this.name = consumer.name;
    this.#shared = shared;
    this.#limits = consumer.limits;
    this.adjust(consumer);
  }

  /** The logical models that it may use; `undefined`: all. */
  get models(): ReadonlySet<string> | undefined {
    return this.#models;
  }

  /** How many of its generations run, with or without a client. */
  get running(): number {
    return this.#running.taken;
  }

  /** Applies what the configuration says now. What was used stays used, unless windows have another length. */
  adjust({ models, limits, budget, isAdmin = false }: Consumer): void {
    this.budget = budget;
    this.isAdmin = isAdmin;
    this.#models = models && new Set(models);
    this.#limits = limits;
    this.#running.resize({ permits: limits.concurrent ?? Number.POSITIVE_INFINITY });
    this.#requests = this.#adjusted('requests', this.#requests, limits);
    this.#images = this.#adjusted('images', this.#images, limits);
  }

  #adjusted(of: 'requests' | 'images', window: UsageWindow | undefined, { [of]: points, windowMs }: KeyLimits) {
    if (points === undefined) return undefined;
    if (window?.windowMs !== windowMs) {
      const { name } = this;
      return this.#shared
        ? new SharedWindow(this.#shared, `${name} ${of}`, points, windowMs)
        : new RateWindow(points, windowMs);
    }
    window.points = points;
    return window;
  }

  acquire(): RunningPermit {
    const release = this.#running.tryAcquire();
    if (release === undefined) throw this.tooManyAtOnce();
    const { concurrent } = this.#limits;
    if (this.#shared === undefined || concurrent === undefined) return { granted: undefined, release };
    const taking = this.#shared.acquire(this.name, concurrent);
    const granted = taking.then((release) => {
      if (release === undefined) throw this.tooManyAtOnce();
    });
    // The generation may have ended before this is known.
    granted.catch(() => {});
    return {
      granted,
      release() {
        release();
        taking.then((free) => free?.()).catch(() => {});
      },
    };
  }

  /** Whether no generation more may run at the moment. */
  get isBusy(): boolean {
    return this.#running.isFull;
  }

  tooManyAtOnce(): GatewayError {
    const { concurrent = 0 } = this.#limits;
    const message = `This key may have ${counted(concurrent, 'request')} at once, and has so many. ${nothingSent}`;
    return new GatewayError('rate_limited', message, { retryAfterMs: 1_000 });
  }

  /** Counts a request; `undefined`: requests are not limited. */
  async countRequest(): Promise<CountedRequest | undefined> {
    const window = this.#requests;
    if (window === undefined) return undefined;
    const { isGranted, usage, refund } = await window.take(1);
    return { usage, refusal: isGranted ? undefined : rateLimited('request', window, usage), refund };
  }

  /** What is used; `undefined`: it is not limited. */
  async usage(of: 'requests' | 'images'): Promise<Usage | undefined> {
    return (of === 'requests' ? this.#requests : this.#images)?.usage();
  }

  reserveImages(count: number): QuotaReservation | undefined {
    const window = this.#images;
    if (window === undefined) return undefined;
    if (count > window.points) throw tooMany(window);
    let left: Usage | undefined;
    let reserved = 0;
    const taking = window.take(count);
    const granted = taking.then(({ isGranted, usage }) => {
      left = usage;
      if (!isGranted) throw rateLimited('image', window, usage);
      reserved = count;
    });
    // The generation may have ended before this is known.
    granted.catch(() => {});
    return {
      granted,
      usage: () => left,
      refund() {
        // An error response does not wait for the limiter.
        if (left) left = { ...left, remaining: Math.min(left.limit, left.remaining + reserved) };
        reserved = 0;
        taking.then(({ refund }) => refund()).catch(() => {});
      },
    };
  }
}

const nothingSent = 'Nothing was sent to the image service.';

function rateLimited(unit: string, window: UsageWindow, { limit, remaining, resetMs }: Usage): GatewayError {
  const rule = `This key may have ${counted(limit, unit)} in ${window.windowMs / 1000} s, and has ${remaining} left.`;
  const message = `${rule} Try again in ${Math.max(1, Math.ceil(resetMs / 1000))} s. ${nothingSent}`;
  return new GatewayError('rate_limited', message, { retryAfterMs: resetMs });
}

/** Waiting would not help. */
function tooMany(window: UsageWindow): GatewayError {
  const message = `'n' cannot be more than ${window.points}: this key may have no more images in ${window.windowMs / 1000} s.`;
  return new GatewayError('invalid_value', message, { param: 'n' });
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
