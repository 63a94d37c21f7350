import type { QuotaPool } from '../domain/quota-pools.ts';
import { hasEnded } from './lifetime.ts';
import type { Target } from './model-catalog.ts';
import type { CoolDown } from './target-health.ts';

type Choosable = { readonly priority: number; readonly weight: number };

/** One of the targets with the lowest priority number, by weight. `random` is in [0, 1); `targets` is not empty. */
export function chooseTarget<T extends Choosable>(targets: readonly T[], random: number): T {
  // Read once: a priority may change with the day.
  const priorities = targets.map(({ priority }) => priority);
  const lowest = Math.min(...priorities);
  const candidates = targets.filter((_, index) => priorities[index] === lowest);
  let rest = random * candidates.reduce((sum, { weight }) => sum + weight, 0);
  for (const candidate of candidates) {
    rest -= candidate.weight;
    if (rest < 0) return candidate;
  }
  return candidates.at(-1) as T;
}

/** A target to ask now, or the shortest wait among targets that all asked for one. */
export type Choice = { readonly target: Target } | { readonly coolDown: CoolDown };

/** What a request knows of quota pools. */
export type KnownQuota = {
  /** It is the request's turn in this one. */
  readonly granted: QuotaPool | undefined;
  /** It would have to wait for its turn in these. */
  readonly full: ReadonlySet<QuotaPool>;
};

type Facts = {
  readonly tried: ReadonlySet<Target>;
  readonly now: number;
  readonly random: number;
  readonly quota?: KnownQuota;
};

/**
 * The target for the next call. Those that asked for a wait are left out, and those that have ended while another one could be
 * tried; of the others, those whose breaker is closed are preferred, then those of the pool that has granted a call, then those
 * that need no wait for quota or permit, then those that this request has not tried yet, then those with a free permit: so a
 * breaker never takes out the last target. `targets` is not empty.
 */
export function chooseHealthy(
  targets: readonly Target[],
  { tried, now, random, quota: { granted, full } = noQuota }: Facts,
): Choice {
  const ready = targets.filter(({ health }) => health.coolDownAt(now) === undefined);
  if (ready.length === 0) return { coolDown: earliest(targets.flatMap(({ health }) => health.coolDownAt(now) ?? [])) };
  if (ready.length === 1) return { target: ready[0] as Target };
  const living = ready.filter((target) => !hasEnded(target));
  const isUntried = (target: Target) => !tried.has(target) && target.health.allows(now);
  const candidates = living.some(isUntried) ? living : ready;
  const wishes: ((target: Target) => boolean)[] = [
    ({ health }) => health.allows(now),
    ({ quota }) => granted !== undefined && quota === granted,
    ({ quota, health }) => full.size === 0 || (!isIn(full, quota) && !health.permits.isFull),
    (target) => !tried.has(target),
    ({ health }) => !health.permits.isFull,
  ];
  const preferred = wishes.reduce((left, wish) => (left.some(wish) ? left.filter(wish) : left), candidates);
  return { target: chooseTarget(preferred, random) };
}

const noQuota: KnownQuota = { granted: undefined, full: new Set() };

function isIn(pools: ReadonlySet<QuotaPool>, pool: QuotaPool | undefined): boolean {
  return pool !== undefined && pools.has(pool);
}

function earliest(coolDowns: readonly CoolDown[]): CoolDown {
  return coolDowns.reduce((one, other) => (other.until < one.until ? other : one));
}
