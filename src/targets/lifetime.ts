import { hasCome } from '../domain/retirement.ts';

/** Added to a priority, it is higher than that of any target that has not ended. */
const behindAllOthers = 1_000_000_000;

type Placed = { readonly priority: number };

/** When a target changes its place among those of its model. */
export type Lifetime = Placed & {
  /** Days from which on it is tried after all others. */
  readonly ends: readonly string[];
  /** Targets that it replaces, from a day on. */
  readonly replaces: readonly (Placed & { readonly from: string })[];
};

/** The priority of a target at a time, in milliseconds since 1970. */
export function priorityAt({ priority, ends, replaces }: Lifetime, now: number): number {
  const taken = replaces.filter(({ from }) => hasCome(from, now)).map((replaced) => replaced.priority);
  const isOver = ends.some((day) => hasCome(day, now));
  return Math.min(priority, ...taken) + (isOver ? behindAllOthers : 0);
}

/** Whether a target is tried after all others, because its model is retired or another target has replaced it. */
export function hasEnded({ priority }: Placed): boolean {
  return priority >= behindAllOthers;
}
