import type { Usage } from '../../domain/consumer-limits.ts';
import type { SharedLimits, WindowState } from '../../domain/shared-limits.ts';
import type { Taken, UsageWindow } from './rate-window.ts';

/** A window that several gateways count together. */
export class SharedWindow implements UsageWindow {
  points: number;
  readonly windowMs: number;
  readonly #limits: SharedLimits;
  readonly #name: string;

  /** @param of names what is counted, and for whom */
  constructor(limits: SharedLimits, of: string, points: number, windowMs: number) {
    this.#limits = limits;
    // Windows of another length are others.
    this.#name = `${of} ${windowMs}`;
    this.points = points;
    this.windowMs = windowMs;
  }

  async usage(): Promise<Usage> {
    return this.#usageOf(await this.#limits.read(this.#name));
  }

  async take(points: number): Promise<Taken> {
    const limit = { points: this.points, windowMs: this.windowMs };
    const { isGranted, ...state } = await this.#limits.take(this.#name, points, limit);
    let isRefunded = !isGranted;
    const refund = async () => {
      if (isRefunded) return await this.usage();
      isRefunded = true;
      return this.#usageOf(await this.#limits.refund(this.#name, points, state.endsAt));
    };
    return { isGranted, usage: this.#usageOf(state), refund };
  }

  #usageOf({ used, resetMs }: WindowState): Usage {
    return { limit: this.points, remaining: Math.max(0, this.points - used), resetMs };
  }
}
