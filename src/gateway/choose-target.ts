type Choosable = { readonly priority: number; readonly weight: number };

/** One of the targets with the lowest priority number, by weight. `random` is in [0, 1); `targets` is not empty. */
export function chooseTarget<T extends Choosable>(targets: readonly T[], random: number): T {
  const lowest = Math.min(...targets.map(({ priority }) => priority));
  const candidates = targets.filter(({ priority }) => priority === lowest);
  let rest = random * candidates.reduce((sum, { weight }) => sum + weight, 0);
  for (const candidate of candidates) {
    rest -= candidate.weight;
    if (rest < 0) return candidate;
  }
  return candidates.at(-1) as T;
}
