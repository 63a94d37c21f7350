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

  /** Shows people what was tried, and by how many bytes the gateway grew. */
  print(title: string, growth: number): void {
    const parts = [...this.#counts].sort().map(([name, times]) => `${name}: ${times}`);
    process.stdout.write(`${title}: ${parts.join(', ')}; the process grew by ${Math.round(growth / 2 ** 20)} MiB\n`);
  }
}
