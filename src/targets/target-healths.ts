import type { Semaphore } from '../concurrency/semaphore.ts';
import { type CredentialSource, isSameCredential } from '../domain/credential-source.ts';
import { TargetHealth } from './target-health.ts';
import type { GatewayTimes } from './times.ts';

/** What tells whether a target of another configuration is the same one. */
export type TargetIdentity = {
  /** Which deployment the calls for a model go to. */
  readonly place: string;
  /** Everything that decides what the calls are like, but for the credential. */
  readonly calls: string;
  readonly credential: CredentialSource;
  readonly maxConcurrent: number;
};

type Known = { readonly identity: TargetIdentity; readonly health: TargetHealth };

/** What is known about the targets of one configuration. */
export type Healths = {
  /** In the order in which the targets were given. */
  readonly healths: readonly TargetHealth[];
  /** From now on it counts, with the limits of this configuration. */
  adopt(): void;
};

/**
 * Hands on what is known about targets from one configuration to the next. A target whose calls stay what they are keeps
 * its breaker, its cool-down and its permits, whatever its name and its share. One whose calls change, such as by another
 * key, has a clean record; but calls that are in flight to the same deployment keep their permits.
 */
export class TargetHealths {
  #known: readonly Known[] = [];

  /** Finds what is known about the targets of a new configuration. Nothing changes before it is adopted. */
  next(targets: readonly TargetIdentity[], times: GatewayTimes): Healths {
    const rest = new Set(this.#known);
    const next = targets.map((identity): Known => {
      const found = [...rest].filter((known) => known.identity.place === identity.place);
      const known = found.find((one) => hasEqualCalls(one.identity, identity)) ?? found[0];
      if (known !== undefined) rest.delete(known);
      return { identity, health: healthAfter(known, identity, times) };
    });
    return {
      healths: next.map(({ health }) => health),
      adopt: () => {
        for (const { identity, health } of next) health.limit(identity.maxConcurrent, times);
        // A target that comes back must find its calls that still run.
        this.#known = [...next, ...[...rest].filter(({ health }) => health.permits.taken > 0)];
      },
    };
  }
}

function healthAfter(known: Known | undefined, identity: TargetIdentity, times: GatewayTimes): TargetHealth {
  if (known !== undefined && hasEqualCalls(known.identity, identity)) return known.health;
  const permits: Semaphore | undefined = known?.health.permits;
  return new TargetHealth(identity.maxConcurrent, times, permits && { permits });
}

function hasEqualCalls(one: TargetIdentity, other: TargetIdentity): boolean {
  return one.calls === other.calls && isSameCredential(one.credential, other.credential);
}
