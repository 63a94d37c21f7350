import { isFoundry, type Mode, modes, variants } from './modes.ts';
import { extras, faults } from './table/all.ts';
import { type Fault, isIn, reportedIn } from './table/fault.ts';

export const clients = ['raw', 'sdk'] as const;
export type Client = (typeof clients)[number];

export type Cell = { readonly fault: Fault; readonly mode: Mode; readonly client: Client };

/** Each fault in each of its modes, for every client. */
const cellsOf = (some: readonly Fault[], inModes: readonly Mode[]): readonly Cell[] =>
  inModes.flatMap((mode) =>
    some
      .filter((fault) => isIn(fault, mode))
      .flatMap((fault) => clients.map((client): Cell => ({ fault, mode, client }))),
  );

export const cells: readonly Cell[] = cellsOf(faults, modes);
/** What an SDK makes of a response is the same whatever the upstream was: all other modes have seen to that. */
const isOfClient = ({ mode, client }: Pick<Cell, 'mode' | 'client'>): boolean => client === 'raw' || !isFoundry(mode);
export const variantCells: readonly Cell[] = cellsOf(faults, variants).filter(isOfClient);
export const extraCells: readonly Cell[] = cellsOf(extras, modes);
/** An image that is delivered as usual is the same for both clients: the cells of each mode have seen to that. */
export const variantExtraCells: readonly Cell[] = cellsOf(extras, variants)
  .filter(isOfClient)
  .filter(
    ({ fault, mode, client }) =>
      client === 'raw' || reportedIn(fault, mode).end !== 'delivered' || 'images' in fault.reported,
  );
export const allCells: readonly Cell[] = [...cells, ...variantCells, ...extraCells, ...variantExtraCells];

export const nameOf = ({ fault, mode, client }: Cell): string =>
  [mode, fault.number, fault.name, `(${client})`].filter((part) => part !== undefined).join(' ');

/** A cell of the nominal matrix, which counts a fault once however many forms it has. */
export type Nominal = { readonly number: number; readonly mode: Mode; readonly client: Client };

const nominalIn = (some: readonly Mode[]): readonly Nominal[] =>
  some.flatMap((mode) =>
    clients.flatMap((client) => Array.from({ length: 36 }, (_, index) => ({ number: index + 1, mode, client }))),
  );

export const nominalCells = nominalIn(modes);
/** On top of the nominal ones. */
export const nominalVariantCells = nominalIn(variants).filter(isOfClient);

/** What is left out, and why. */
export const leftOut: readonly (Omit<Nominal, 'client'> & { readonly reason: string })[] = (
  ['A', 'B', 'C', 'D', 'F', ...variants] as const
).map((mode) => ({ number: 28, mode, reason: 'only calls with a form meet unsupported_content_type' }));

/** Forms of faults that are left out, and why. */
export const leftOutForms = [
  { number: 6, name: 'FIN on accept without TLS, in C', reason: 'its links lead to the server with TLS' },
] as const;

export const isCovered = ({ number, mode, client }: Nominal): boolean =>
  allCells.some((cell) => cell.fault.number === number && cell.mode === mode && cell.client === client);

export const isLeftOut = ({ number, mode }: Nominal): boolean =>
  leftOut.some((hole) => hole.number === number && hole.mode === mode);
