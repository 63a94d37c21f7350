/**
 * `yes` is a test that must pass, perhaps on a condition that callers have to know. What the client cannot do itself has
 * the reason why not.
 */
export type Cell = 'yes' | `yes: ${string}` | `n/a: ${string}`;

export const isYes = (cell: Cell): boolean => cell.startsWith('yes');

/** One row's cells. */
export type Cells<Feature extends string> = Readonly<Record<Feature, Cell>>;

/** A row of a table. */
export type Client<Feature extends string> = {
  readonly id: string;
  readonly name: string;
  readonly cells: Cells<Feature>;
};

/** A table of clients: what each of them may do with the gateway. */
export type Matrix<Feature extends string> = {
  /** The columns, with their headings. */
  readonly features: Readonly<Record<Feature, string>>;
  readonly clients: readonly Client<Feature>[];
};

/** A table of these rows, by the id of their clients. */
export function matrixOf<Feature extends string>(
  features: Matrix<Feature>['features'],
  rows: Readonly<Record<string, Omit<Client<Feature>, 'id'>>>,
): Matrix<Feature> {
  return { features, clients: Object.entries(rows).map(([id, row]) => ({ id, ...row })) };
}

/** The columns in their order. */
export function featuresOf<Feature extends string>({ features }: Matrix<Feature>): readonly Feature[] {
  return Object.keys(features) as Feature[];
}

/** Makes rows of which every cell says yes, except for some. */
export function rowsWith<Feature extends string>(features: Matrix<Feature>['features']) {
  const allYes = Object.fromEntries(Object.keys(features).map((feature) => [feature, 'yes'])) as Cells<Feature>;
  return (name: string, exceptions: Partial<Cells<Feature>> = {}) => ({ name, cells: { ...allYes, ...exceptions } });
}
