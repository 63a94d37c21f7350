import type { GatewayTimes } from './times.ts';

const consecutiveFailures = 5;
const windowSize = 20;

type State =
  | { readonly name: 'closed' }
  | { readonly name: 'open'; readonly until: number }
  | { readonly name: 'half-open' };

/**
 * Leaves a target alone that fails by itself: after five failures in a row, or when half of the last twenty calls failed.
 * When its time is over, one request tries it; success closes the breaker, failure opens it for longer.
 */
export class Breaker {
  readonly #times: GatewayTimes;
  #state: State = { name: 'closed' };
  /** The last calls, oldest first; true for a failure. */
  #calls: boolean[] = [];
  /** How often it has opened since the last success. */
  #openings = 0;

  constructor(times: GatewayTimes) {
    this.#times = times;
  }

  /** For logs and metrics. */
  get state(): State['name'] {
    return this.#state.name;
  }

  /** Until when no request is sent, if it is open. */
  get openUntil(): number | undefined {
    return this.#state.name === 'open' ? this.#state.until : undefined;
  }

  /** Whether a request may be sent now; what it does then must be told by `started`. */
  allows(now: number): boolean {
    return this.#state.name === 'closed' || (this.#state.name === 'open' && now >= this.#state.until);
  }

  started(now: number): void {
    if (this.#state.name === 'open' && now >= this.#state.until) this.#state = { name: 'half-open' };
  }

  succeeded(): void {
    this.#state = { name: 'closed' };
    this.#openings = 0;
    this.#add(false);
  }

  failed(now: number): void {
    this.#add(true);
    const last = this.#calls.slice(-consecutiveFailures);
    const isRow = last.length === consecutiveFailures && last.every(Boolean);
    const isHalf = this.#calls.length === windowSize && this.#calls.filter(Boolean).length >= windowSize / 2;
    if (this.#state.name === 'half-open' || isRow || isHalf) this.open(now);
  }

  /** At once, for a target that said itself that it is of no use. */
  open(now: number): void {
    if (this.#state.name === 'open' && now < this.#state.until) return;
    this.#openings += 1;
    const { breakerOpenMs, maxBreakerOpenMs } = this.#times;
    this.#state = { name: 'open', until: now + Math.min(maxBreakerOpenMs, breakerOpenMs * this.#openings) };
    this.#calls = [];
  }

  /** Another process has opened its own: this one does the same, unless it tries the target or waits longer already. */
  adopt(until: number): void {
    if (this.#state.name === 'half-open' || until <= (this.openUntil ?? 0)) return;
    this.#state = { name: 'open', until };
    this.#openings = Math.max(1, this.#openings);
    this.#calls = [];
  }

  /** A call ended that says nothing about the target: the next one tries it. */
  undecided(now: number): void {
    if (this.#state.name === 'half-open') this.#state = { name: 'open', until: now };
  }

  #add(isFailure: boolean): void {
    this.#calls = [...this.#calls, isFailure].slice(-windowSize);
  }
}
