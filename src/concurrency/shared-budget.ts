/**
 * An amount, of bytes or of places, that consumers share. Where it is divided, none of them may hold more than half of it:
 * one consumer alone cannot shut out the others.
 */
export class SharedBudget {
  #total: number;
  readonly #isDivided: () => boolean;
  readonly #heldBy = new Map<string, number>();
  #held = 0;

  constructor(total: number, isDivided: () => boolean = () => true) {
    this.#total = total;
    this.#isDivided = isDivided;
  }

  get held(): number {
    return this.#held;
  }

  /** What is held stays held, also where it is more than the new total. */
  resize(total: number): void {
    this.#total = total;
  }

  hasRoomFor(consumer: string, amount: number): boolean {
    const share = this.#isDivided() ? Math.ceil(this.#total / 2) : this.#total;
    return this.#held + amount <= this.#total && (this.#heldBy.get(consumer) ?? 0) + amount <= share;
  }

  /** A reservation that holds nothing yet. */
  open(consumer: string): Reservation {
    return new Reservation((amount) => {
      if (amount > 0 && !this.hasRoomFor(consumer, amount)) return false;
      this.#held += amount;
      const held = (this.#heldBy.get(consumer) ?? 0) + amount;
      if (held === 0) this.#heldBy.delete(consumer);
      else this.#heldBy.set(consumer, held);
      return true;
    });
  }
}

/** What one request holds of a budget. */
export class Reservation {
  readonly #add: (amount: number) => boolean;
  #amount = 0;
  #isReleased = false;

  constructor(add: (amount: number) => boolean) {
    this.#add = add;
  }

  get amount(): number {
    return this.#amount;
  }

  /** False, and nothing has changed, where there is no room for so much more, or after the release. */
  grow(amount: number): boolean {
    if (this.#isReleased || !this.#add(amount)) return false;
    this.#amount += amount;
    return true;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#add(-this.#amount);
  }
}
