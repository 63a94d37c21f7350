/** What one request holds of a budget. */
export type Reservation = {
  readonly amount: number;
  /** False, and nothing has changed, where there is no room for so much more, or after the release. */
  grow(amount: number): boolean;
  /** Further calls change nothing. */
  release(): void;
};

/** One consumer alone cannot shut out the others. */
export function halfOf(total: number): number {
  return Math.ceil(total / 2);
}

/** An amount, of bytes or of requests, that consumers share. */
export class SharedBudget {
  #total: number;
  readonly #maxShare: (total: number) => number;
  readonly #heldBy = new Map<string, number>();
  #held = 0;

  /** @param maxShare how much of the total one consumer may hold */
  constructor(total: number, maxShare = halfOf) {
    this.#total = total;
    this.#maxShare = maxShare;
  }

  get held(): number {
    return this.#held;
  }

  /** What is held stays held, also where it is more than the new total. */
  resize(total: number): void {
    this.#total = total;
  }

  hasRoomFor(consumer: string, amount: number): boolean {
    const held = this.#heldBy.get(consumer) ?? 0;
    return this.#held + amount <= this.#total && held + amount <= this.#maxShare(this.#total);
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
