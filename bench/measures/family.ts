import { readFileSync } from 'node:fs';

/** A process and all that it has started, by id. */
export function familyOf(pid: number | undefined): readonly number[] {
  if (pid === undefined) return [];
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
