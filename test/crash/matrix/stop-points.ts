import type { Order, Phase, Report } from './phases.ts';

/** Stops whatever comes to the phase that the test has named, until the test lets it go on. */
export class StopPoints {
  #phase: Phase | undefined;
  #released = Promise.withResolvers<void>();

  obey(order: Order): void {
    if (order === 'go on') {
      this.#phase = undefined;
      this.#released.resolve();
      this.#released = Promise.withResolvers<void>();
    } else {
      this.#phase = order.stopAt;
    }
    // A request that is sent afterwards could be faster than the order.
    process.send?.('obeyed' satisfies Report);
  }

  async pass(phase: Phase): Promise<void> {
    if (phase !== this.#phase) return;
    process.send?.({ reached: phase } satisfies Report);
    await this.#released.promise;
  }
}
