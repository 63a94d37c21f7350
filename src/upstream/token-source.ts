import { GatewayError } from '../domain/gateway-error.ts';
import type { Secret } from '../domain/secret.ts';

/** A token as its issuer gave it; `expiresAt` in milliseconds since 1970. */
export type AccessToken = { readonly token: Secret; readonly expiresAt: number };

/** Gets a new token, never one that was given before. */
export type AcquireToken = (signal: AbortSignal) => Promise<AccessToken>;

/** In milliseconds. Shortened in tests. */
export type TokenTimes = {
  /** The longest that callers wait for a token. */
  readonly acquireMs: number;
  /** After a failure nobody asks for so long, twice as long after each further one, up to the longest. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  /** A token that has just replaced a refused one is the best there is: it is not replaced again for so long. */
  readonly replacedMs: number;
};

const defaultTimes: TokenTimes = { acquireMs: 10_000, pauseMs: 1_000, maxPauseMs: 30_000, replacedMs: 60_000 };

type Held = { readonly token: Secret; readonly refreshAt: number; readonly validUntil: number; isRefused: boolean };

type Options = {
  readonly times?: Partial<TokenTimes> | undefined;
  readonly now?: () => number;
  readonly random?: () => number;
};

/**
 * One token for everybody who needs it: kept while it is valid, replaced from half of its life on without anybody
 * waiting for that, and fetched once however many callers there are.
 */
export class TokenSource {
  readonly #acquire: AcquireToken;
  readonly #times: TokenTimes;
  readonly #now: () => number;
  readonly #random: () => number;
  #held: Held | undefined;
  #flight: Promise<Secret> | undefined;
  #failures = 0;
  #failure: { readonly error: GatewayError; readonly until: number } | undefined;
  #replacedAt = Number.NEGATIVE_INFINITY;

  constructor(acquire: AcquireToken, { times, now = () => performance.now(), random = Math.random }: Options = {}) {
    this.#acquire = acquire;
    this.#times = { ...defaultTimes, ...times };
    this.#now = now;
    this.#random = random;
  }

  /** Rejects with `upstream_auth_failed` when no token is to be had, and with the signal's reason. */
  async token(signal: AbortSignal): Promise<Secret> {
    const held = this.#held;
    if (held === undefined || this.#now() >= held.validUntil) return settleOnAbort(this.#renew(), signal);
    // One upstream did not accept it, but others may: it is better than none.
    if (held.isRefused) {
      const renewed = this.#renew().catch(() => held.token);
      return settleOnAbort(renewed, signal);
    }
    // Whoever comes now is served with what there is.
    if (this.#now() >= held.refreshAt) this.#renew().catch(() => {});
    return held.token;
  }

  /** An upstream did not accept this token. Whether the next caller gets another one. */
  refused(token: Secret): boolean {
    if (this.#held?.token !== token) return true;
    if (this.#isPausing || this.#now() - this.#replacedAt < this.#times.replacedMs) return false;
    this.#held.isRefused = true;
    return true;
  }

  get #isPausing(): boolean {
    return this.#failure !== undefined && this.#now() < this.#failure.until;
  }

  #renew(): Promise<Secret> {
    if (this.#flight) return this.#flight;
    if (this.#failure && this.#isPausing) return Promise.reject(this.#failure.error);
    this.#flight = this.#fetch().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  async #fetch(): Promise<Secret> {
    const { acquireMs } = this.#times;
    const limit = AbortSignal.timeout(acquireMs);
    try {
      // A token that comes too late for those who wait serves the next ones.
      const late = (token: AccessToken) => void (isAlive(token) && this.#held === undefined && this.#keep(token));
      const token = await settleOnAbort(this.#acquire(limit), limit, late);
      if (!isAlive(token)) throw new TypeError('the token has expired already');
      return this.#keep(token);
    } catch (cause) {
      throw this.#noteFailure(cause);
    }
  }

  #keep({ token, expiresAt }: AccessToken): Secret {
    const now = this.#now();
    // From here on the system's clock may be set to another time without any effect.
    const lifeMs = expiresAt - Date.now();
    const margin = Math.min(30_000, lifeMs / 10);
    if (this.#held?.isRefused) this.#replacedAt = now;
    this.#held = {
      token,
      refreshAt: now + (lifeMs / 2) * (1 - this.#random() / 10),
      validUntil: now + lifeMs - margin,
      isRefused: false,
    };
    this.#failures = 0;
    this.#failure = undefined;
    return token;
  }

  #noteFailure(cause: unknown): GatewayError {
    const { pauseMs, maxPauseMs } = this.#times;
    const error = new GatewayError(
      'upstream_auth_failed',
      'The gateway could not sign in to the image service; its operator can see why in the log. Nothing was sent to it and nothing was billed.',
      { outcome: 'not-processed', isTargetWide: true, cause },
    );
    this.#failure = { error, until: this.#now() + Math.min(maxPauseMs, pauseMs * 2 ** this.#failures) };
    this.#failures += 1;
    return error;
  }
}

function isAlive({ expiresAt }: AccessToken): boolean {
  return expiresAt > Date.now();
}

/**
 * The promise's result, or a rejection with the signal's reason as soon as it is aborted: one call fetches for all who wait,
 * and whoever issues tokens may obey an abort late. A result that comes after that goes to `takeLate`.
 */
function settleOnAbort<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  takeLate: (late: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise
      .then((value) => (signal.aborted ? takeLate(value) : resolve(value)), reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
