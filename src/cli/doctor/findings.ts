/** The steps in their order: each one needs those before it. */
export const steps = ['name', 'connection', 'tls', 'response', 'credential', 'deployment'] as const;

export type Step = (typeof steps)[number];

/**
 * `unknown`: no free call can tell. `not checked`: it does not apply, or an earlier step failed. A hint is one sentence for the
 * operator, with Azure's message; it holds no secret.
 */
export type Finding =
  | { readonly state: 'ok' | 'not checked' }
  | { readonly state: 'unknown' | 'failed'; readonly hint: string };

export const ok: Finding = { state: 'ok' };
export const notChecked: Finding = { state: 'not checked' };

export function failed(hint: string): Finding {
  return { state: 'failed', hint };
}

export function unknown(hint: string): Finding {
  return { state: 'unknown', hint };
}

/** The findings of one target. */
export type TargetReport = {
  readonly model: string;
  readonly target: string;
  /** Host and port. */
  readonly host: string;
  readonly findings: Readonly<Record<Step, Finding>>;
};

/** Whether anything certainly failed. */
export function hasFailure(reports: readonly TargetReport[]): boolean {
  return reports.some(({ findings }) => steps.some((step) => findings[step].state === 'failed'));
}

const states: Readonly<Record<Finding['state'], string>> = {
  ok: 'ok',
  failed: 'FAILED',
  unknown: 'unknown',
  'not checked': '–',
};

/** A table with a line per target, and below it a hint for everything that is not ok. */
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
