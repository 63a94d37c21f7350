import { columns, type Figure } from './figure.ts';
import type { Spread } from './statistics.ts';

const heads = ['figure', 'unit', ...columns, 'goals'];

/** The figures as a Markdown table: median, and in brackets the lowest and highest round. */
export function tableOf(figures: readonly Figure[]): string {
  const used = heads.filter((head) => !isColumn(head) || figures.some(({ values }) => values[head] !== undefined));
  const rows = figures.map((figure) => used.map((head) => cell(figure, head)));
  const widths = used.map((head, at) => Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((text, at) => text.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [line(used), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line), ''].join('\n');
}

function isColumn(head: string): head is keyof Figure['values'] {
  return columns.some((column) => column === head);
}

function cell({ name, unit, values, goals }: Figure, head: string): string {
  if (isColumn(head)) return written(values[head]);
  if (head === 'figure') return name;
  if (head === 'unit') return unit;
  return goals.map(({ level, text, holds }) => `${mark(holds)} ${level} ${text}`).join('; ');
}

function written(value: Spread | undefined): string {
  if (value === undefined) return '';
  const { median, low, high } = value;
  return low === high ? short(median) : `${short(median)} (${short(low)}–${short(high)})`;
}

function short(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function mark(holds: boolean | undefined): string {
  return holds === undefined ? '?' : holds ? '✓' : '✗';
}
