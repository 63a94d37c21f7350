/** Where the process stands; `/readyz` is 200 in `ready` only. In `closing` no new work is taken. */
export type Phase = 'starting' | 'ready' | 'draining' | 'closing';

export type Lifecycle = { phase: Phase };

export function createLifecycle(): Lifecycle {
  return { phase: 'starting' };
}
