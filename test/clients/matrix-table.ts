import { type Cell, featuresOf, isYes, type Matrix } from './cells.ts';

/** A matrix in Markdown; conditions and reasons stand below the table, with numbers. */
export function matrixTable<Feature extends string>(matrix: Matrix<Feature>): string {
  const names = featuresOf(matrix);
  const notes: string[] = [];
  const mark = (cell: Cell) => {
    if (cell === 'yes') return 'yes';
    const note = cell.slice(cell.indexOf(': ') + 2);
    if (!notes.includes(note)) notes.push(note);
    return `${isYes(cell) ? 'yes' : '–'} (${notes.indexOf(note) + 1})`;
  };
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const table = [
    line(['Client', ...names.map((name) => matrix.features[name])]),
    `|${'---|'.repeat(names.length + 1)}`,
    ...matrix.clients.map(({ name, cells }) => line([name, ...names.map((feature) => mark(cells[feature]))])),
  ];
  return [...table, '', ...notes.map((note, index) => `${index + 1}. ${note}`)].join('\n');
}
