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

const states: Readonly<Record<Finding['state'], string>> = {
  ok: 'ok',
  failed: 'FAILED',
  unknown: 'unknown',
  'not asked': '–',
};

/** A line for each target, and below them a sentence for everything that is not well. */
export function printReport(reports: readonly TargetReport[]): string {
  const rows = [
    ['model', 'target', 'host', ...steps],
    ...reports.map(({ model, target, host, findings }) => [
      model,
      target,
      host,
      ...steps.map((step) => states[findings[step].state]),
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const hints = reports.flatMap((report) => steps.flatMap((step) => hintLines(report, step)));
  return `${[...lines, ...(hints.length > 0 ? ['', ...hints] : [])].join('\n')}\n`;
}

function hintLines({ model, target, findings }: TargetReport, step: Step): string[] {
  const finding = findings[step];
  if (!('hint' in finding)) return [];
  return [`${model}, target ${target}, ${step} ${states[finding.state]}:`, `  ${finding.hint}`];
}
