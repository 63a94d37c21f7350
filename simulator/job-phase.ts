/** How far a job that takes its time has come. */
export type JobPhase = 'queued' | 'running' | 'over';

/** The phase of a job of so many milliseconds after so many: a third queued, the rest running, then its end. */
export function jobPhase(elapsedMs: number, jobMs: number): JobPhase {
  if (elapsedMs < jobMs / 3) return 'queued';
  return elapsedMs < jobMs ? 'running' : 'over';
}
