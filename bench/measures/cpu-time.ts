import { readdirSync, readFileSync } from 'node:fs';
import { familyOf } from './family.ts';

/** The CPU time that a process, its threads and its children have had, in milliseconds; exact to the microsecond. */
export function cpuMs(pid: number): number {
  return (
    familyOf(pid)
      .flatMap(threadsOf)
      .reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6
  );
}

function threadsOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(nanoseconds);
  });
}
