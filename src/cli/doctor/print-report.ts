import { type Finding, type Step, steps, type TargetReport } from './finding.ts';

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
