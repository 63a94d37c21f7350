/** How much is used of what one consumer may use in one window of time. */
export type WindowState = {
  readonly used: number;
  /** When the window ends and everything is there again, in milliseconds since 1970 by the clock of the store. */
  readonly endsAt: number;
  /** Until then, in milliseconds. */
  readonly resetMs: number;
};

/**
 * The limits of consumers where several gateways count together. Every method may reject with a GatewayError
 * `store_unavailable`.
 */
export interface SharedLimits {
  /** Takes all of these points, or none. A window begins with its first use. */
  take(
    window: string,
    points: number,
    limit: { readonly points: number; readonly windowMs: number },
  ): Promise<WindowState & { readonly isGranted: boolean }>;
  /** Puts points back, if their window still lasts. Resolves with what is used then. */
  refund(window: string, points: number, endsAt: number): Promise<WindowState>;
  /** What is used: nothing before the first use. */
  read(window: string): Promise<WindowState>;
  /** Acquires one of the permits of a consumer, and gives its release, which never rejects; `undefined`: all are held. */
  acquire(consumer: string, permits: number): Promise<(() => void) | undefined>;
}
