/** How long a step that costs nothing may be retried, because what it is for is already paid. */
export type Retrying = {
  readonly signal: AbortSignal;
  /** When the last retry may begin, as of `performance.now()`: shortly before the request's deadline. */
  readonly until: number;
};
