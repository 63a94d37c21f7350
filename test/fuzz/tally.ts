/** Counts what came, by name. */
export class Tally {
  readonly #counts = new Map<string, number>();

  note(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  names(): string[] {
    return [...this.#counts.keys()];
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Shows people what was tried. */
  print(title: string): void {
    const parts = [...this.#counts].sort().map(([name, times]) => `${name}: ${times}`);
    process.stdout.write(`${title}: ${parts.join(', ')}\n`);
  }
}
