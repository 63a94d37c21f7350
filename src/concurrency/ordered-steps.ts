/** Runs steps: those of one name one after the other, in the order of the calls, and others beside them. */
export class OrderedSteps {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Settles as the step does. A step that fails does not keep the next one from running. */
  run<T>(name: string, step: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const running = before === undefined ? step() : before.then(step, step);
    this.#last.set(name, running);
    const forget = () => {
      if (this.#last.get(name) === running) this.#last.delete(name);
    };
    running.then(forget, forget);
    return running;
  }

  /** Resolves once every step that was begun has settled. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
