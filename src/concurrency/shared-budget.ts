/** What one request holds of a budget. */
export type Reservation = {
  readonly amount: number;
  /** False, and nothing has changed, where there is no room for so much more, or after the release. */
  grow(amount: number): boolean;
  /** Further calls change nothing. */
  release(): void;
};

type Shares = {
  /** Those that may hold something now: where there are several, none holds more than half. By default there are. */
  readonly consumers?: { readonly size: number };
  /** How much one consumer may hold, instead. */
  readonly maxShare?: number;
};

/** An amount, of bytes or of requests, that consumers share. */
export class SharedBudget {
  #total: number;
  readonly #shares: Shares;
  readonly #heldBy = new Map<string, number>();
  #held = 0;

  constructor(total: number, shares: Shares = {}) {
    this.#total = total;
    this.#shares = shares;
  }

  get held(): number {
    return this.#held;
  }

  /** What is held stays held, also where it is more than the new total. */
  resize(total: number): void {
    this.#total = total;
  }

  hasRoomFor(consumer: string, amount: number): boolean {
    const { maxShare, consumers } = this.#shares;
    const isAlone = consumers !== undefined && consumers.size <= 1;
    const share = maxShare ?? (isAlone ? this.#total : Math.ceil(this.#total / 2));
    const held = this.#heldBy.get(consumer) ?? 0;
    return this.#held + amount <= this.#total && held + amount <= share;
  }

  /** A reservation that holds nothing yet. */
  open(consumer: string): Reservation {
    let amount = 0;
    let isReleased = false;
    const grow = (more: number) => {
      if (isReleased || (more > 0 && !this.hasRoomFor(consumer, more))) return false;
      const held = (this.#heldBy.get(consumer) ?? 0) + more;
      if (held === 0) this.#heldBy.delete(consumer);
      else this.#heldBy.set(consumer, held);
      this.#held += more;
      amount += more;
      return true;
    };
    return {
      get amount() {
        return amount;
      },
      grow,
      release() {
        grow(-amount);
        isReleased = true;
      },
    };
  }
}
