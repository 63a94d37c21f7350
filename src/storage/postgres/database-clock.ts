const keptReadings = 10;

/**
 * The clock of the database, as far as it is known here. Each reading was late by the time that the response took: so the one
 * that is furthest ahead is the best. Older readings are forgotten, because the database may move to another machine.
 */
export class DatabaseClock {
  #offsets: readonly number[] = [];

  /** @param time what the database has told just now, in milliseconds since 1970 */
  note(time: number): void {
    this.#offsets = [...this.#offsets, time - performance.now()].slice(-keptReadings);
  }

  /** In milliseconds since 1970. To be called after the first reading. */
  now(): number {
    return Math.floor(Math.max(...this.#offsets) + performance.now());
  }
}
