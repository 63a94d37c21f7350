/** What is looked at, in this order: each one makes sense only where those before it are well. */
export const steps = ['name', 'connection', 'tls', 'answer', 'credential', 'deployment'] as const;

export type Step = (typeof steps)[number];

/**
 * What was found. `unknown`: no call that is free can tell. `not asked`: it does not apply, or an earlier step has failed.
 * A hint is one sentence for whoever runs the gateway, with what Azure says; it holds no secret.
 */
export type Finding =
  | { readonly state: 'ok' | 'not asked' }
  | { readonly state: 'unknown' | 'failed'; readonly hint: string };

export const ok: Finding = { state: 'ok' };
export const notAsked: Finding = { state: 'not asked' };

export function failed(hint: string): Finding {
  return { state: 'failed', hint };
}

export function unknown(hint: string): Finding {
  return { state: 'unknown', hint };
}

/** What was found at one target. */
export type TargetReport = {
  readonly model: string;
  readonly target: string;
  /** Host and port. */
  readonly host: string;
  readonly findings: Readonly<Record<Step, Finding>>;
};

/** Whether something is wrong for certain. */
export function hasFailure(reports: readonly TargetReport[]): boolean {
  return reports.some(({ findings }) => steps.some((step) => findings[step].state === 'failed'));
}
