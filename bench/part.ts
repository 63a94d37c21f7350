import type { Driver } from './driver/start-driver.ts';
import type { Figure } from './figure.ts';
import type { Upstream } from './upstream/start-upstream.ts';

/** What a part of the benchmark works with. */
export type Bench = {
  readonly upstream: Upstream;
  readonly driver: Driver;
  readonly rounds: number;
  /** The directory of another build of the gateway, to be compared with this one. */
  readonly before: string | undefined;
  /** Shorter loads, for work on the benchmark itself. */
  readonly isQuick: boolean;
};

/** A part of the benchmark; its name is what `npm run bench -- NAME` takes. */
export type Part = { readonly name: string; run(bench: Bench): Promise<readonly Figure[]> };
