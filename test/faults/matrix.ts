import { type Mode, modes } from './modes.ts';
import { faults } from './table/all.ts';
import { type Fault, isIn } from './table/fault.ts';

export const clients = ['raw', 'sdk'] as const;
export type Client = (typeof clients)[number];

export type Cell = { readonly fault: Fault; readonly mode: Mode; readonly client: Client };

/** Each fault in each of its modes, for every client. */
export const cellsOf = (some: readonly Fault[]): readonly Cell[] =>
  modes.flatMap((mode) =>
    some
      .filter((fault) => isIn(fault, mode))
      .flatMap((fault) => clients.map((client): Cell => ({ fault, mode, client }))),
  );

export const cells: readonly Cell[] = cellsOf(faults);

export const nameOf = ({ fault, mode, client }: Cell): string =>
  [mode, fault.number, fault.name, `(${client})`].filter((part) => part !== undefined).join(' ');

/** A cell of the nominal matrix, which counts a fault once however many forms it has. */
export type Nominal = { readonly number: number; readonly mode: Mode; readonly client: Client };

export const nominalCells: readonly Nominal[] = modes.flatMap((mode) =>
  clients.flatMap((client) => Array.from({ length: 36 }, (_, index) => ({ number: index + 1, mode, client }))),
);

/** What is left out, and why. */
export const leftOut: readonly (Omit<Nominal, 'client'> & { readonly reason: string })[] = (
  ['A', 'B', 'C', 'D', 'F'] as const
).map((mode) => ({ number: 28, mode, reason: 'only calls with a form meet unsupported_content_type' }));

/** Forms of faults that are left out, and why. */
export const leftOutForms = [
  { number: 25, name: '401 then good, and always 401', reason: 'no credential can be refreshed: all keys are static' },
  { number: 6, name: 'FIN on accept without TLS, in C', reason: 'its links lead to the server with TLS' },
] as const;

export const isCovered = ({ number, mode, client }: Nominal): boolean =>
  cells.some((cell) => cell.fault.number === number && cell.mode === mode && cell.client === client);

export const isLeftOut = ({ number, mode }: Nominal): boolean =>
  leftOut.some((hole) => hole.number === number && hole.mode === mode);
