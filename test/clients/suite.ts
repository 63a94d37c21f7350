import type { TestContext } from 'vitest';
import type { Feature } from './matrix.ts';

/** Shows that something works: it throws if not. What it opens is closed when its test ends. */
export type Check = (context: TestContext) => Promise<void>;

/** What is checked of one client: for each feature one check, or several with names. */
export type Suite<Name extends string = Feature> = {
  readonly [feature in Name]?: Check | Readonly<Record<string, Check>>;
};

/** What is checked of all clients of a table, by their ids. */
export type Suites<Name extends string> = Readonly<Record<string, Suite<Name>>>;
