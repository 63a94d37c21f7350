import { type Cell, clients, type Feature, features, isYes } from './matrix.ts';

/** The matrix in Markdown; conditions and reasons stand below the table, with numbers. */
export function matrixTable(): string {
  const names = Object.keys(features) as Feature[];
  const notes: string[] = [];
  const mark = (cell: Cell) => {
    if (cell === 'yes') return 'yes';
    const note = cell.slice(cell.indexOf(': ') + 2);
    if (!notes.includes(note)) notes.push(note);
    return `${isYes(cell) ? 'yes' : '–'} (${notes.indexOf(note) + 1})`;
  };
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = [
    line(['Client', ...names.map((name) => features[name])]),
    `|${'---|'.repeat(names.length + 1)}`,
    ...clients.map(({ name, cells }) => line([name, ...names.map((feature) => mark(cells[feature]))])),
  ];
  return [...table, '', ...notes.map((note, index) => `${index + 1}. ${note}`)].join('\n');
}
