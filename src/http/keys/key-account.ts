import { type Release, Semaphore } from '../../concurrency/semaphore.ts';
import type { Consumer, KeyLimits } from '../../domain/consumer.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { Limited } from './rate-limit-headers.ts';
import { RateWindow, type Usage } from './rate-window.ts';

/** Images that were taken from those that a consumer may have. */
export type Payment = {
  /** Rejects with `rate_limited` when there are not so many left. */
  readonly paid: Promise<void>;
  /** Nothing was sent for them. */
  giveBack(): void;
};

/** What one consumer may do, and what it has used: shared by all of its keys. */
export class KeyAccount {
  readonly name: string;
  #models: ReadonlySet<string> | undefined;
  #limits: KeyLimits;
  #requests: RateWindow | undefined;
  #images: RateWindow | undefined;
  readonly #running = new Semaphore({ permits: Number.POSITIVE_INFINITY });

  constructor(consumer: Consumer) {
    this.name = consumer.name;
    this.#limits = consumer.limits;
    this.adjust(consumer);
  }

  /** The logical models that it may use; `undefined`: all. */
  get models(): ReadonlySet<string> | undefined {
    return this.#models;
  }

  /** How many of its generations run, whether or not anybody waits for them. */
  get running(): number {
    return this.#running.taken;
  }

  /** Takes on what the configuration says now. What was used stays used, unless windows have another length. */
  adjust({ models, limits }: Consumer): void {
    this.#models = models && new Set(models);
    this.#limits = limits;
    this.#running.resize({ permits: limits.concurrent ?? Number.POSITIVE_INFINITY });
    this.#requests = adjusted(this.#requests, limits.requests, limits.windowMs);
    this.#images = adjusted(this.#images, limits.images, limits.windowMs);
  }

  /** Takes one of the generations that may run at once. Throws `rate_limited`. */
  acquire(): Release {
    const release = this.#running.tryAcquire();
    if (release === undefined) throw this.tooManyAtOnce();
    return release;
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

  /** Counts a request. Rejects with `rate_limited`; `note` learns before that what is used. */
  async countRequest(note: (usage: Usage) => void): Promise<void> {
    const window = this.#requests;
    if (window === undefined) return;
    const { isGranted, usage } = await window.take(1);
    note(usage);
    if (!isGranted) throw rateLimited('request', window, usage);
  }

  /** What is used, where it is limited. */
  async usage(of: Limited): Promise<Usage | undefined> {
    return (of === 'requests' ? this.#requests : this.#images)?.usage();
  }

  /**
   * Pays for images, where they are limited. Throws `invalid_value` for more than it may ever have. `note` learns what is
   * used, whenever that changes.
   */
  payImages(count: number, note: (usage: Usage) => void): Payment | undefined {
    const window = this.#images;
    if (window === undefined) return undefined;
    if (count > window.points) throw tooMany(window);
    const taking = window.take(count);
    let left: Usage | undefined;
    const paid = taking.then(({ isGranted, usage }) => {
      note(usage);
      if (!isGranted) throw rateLimited('image', window, usage);
      left = usage;
    });
    // Whoever pays may be gone before it knows.
    paid.catch(() => {});
    return {
      paid,
      giveBack() {
        // An error's answer does not wait for the limiter.
        if (left) note({ ...left, remaining: Math.min(left.limit, left.remaining + count) });
        void taking.then(({ giveBack }) => giveBack());
      },
    };
  }
}

function adjusted(window: RateWindow | undefined, points: number | undefined, windowMs: number) {
  if (points === undefined) return undefined;
  if (window?.windowMs !== windowMs) return new RateWindow(points, windowMs);
  window.points = points;
  return window;
}

const nothingSent = 'Nothing was sent to the image service.';

function rateLimited(unit: string, window: RateWindow, { limit, remaining, resetMs }: Usage): GatewayError {
  const rule = `This key may have ${counted(limit, unit)} in ${window.windowMs / 1000} s, and has ${remaining} left.`;
  const message = `${rule} Try again in ${Math.max(1, Math.ceil(resetMs / 1000))} s. ${nothingSent}`;
  return new GatewayError('rate_limited', message, { retryAfterMs: resetMs });
}

/** To wait would not help. */
function tooMany(window: RateWindow): GatewayError {
  const message = `'n' cannot be more than ${window.points}: this key may have no more images in ${window.windowMs / 1000} s.`;
  return new GatewayError('invalid_value', message, { param: 'n' });
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
