import { readFileSync } from 'node:fs';
import { interpolate, type Variables } from './interpolate.ts';
import { ConfigError, type JsonPath, type PathProblem, type Problem, type Report } from './problems.ts';
import { type JsonDocument, readJson } from './read-json.ts';

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'part of its path is not a directory',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
};

/** Reads a configuration file. Throws a ConfigError. @param variable the environment variable that names the file */
export function readConfigText(file: string, variable: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const message = `cannot read the file: ${unreadable[code] ?? code} (see ${variable})`;
    throw new ConfigError(file, [{ path: '', message }]);
  }
}

/** The frozen content of a file, and warnings about what is valid but probably not meant. */
export type ConfigFile<T> = { readonly config: T; readonly warnings: readonly Problem[] };

type ConfigText = {
  readonly text: string;
  readonly file: string;
  readonly variables: Variables;
  readonly arrange?: (document: JsonDocument) => JsonDocument;
};

/**
 * Parses JSON with comments whose strings may refer to variables.
 *
 * @param file what the text is called in an error
 * @param arrange normalises the document before it is checked; places still refer to the text
 * @param read turns the interpolated value into the configuration, or into `undefined` after it reported a problem; `written` is
 *   the value before interpolation
 * @throws ConfigError with every problem that was found
 */
export function parseConfigText<T>(
  { text, file, variables, arrange = (document) => document }: ConfigText,
  read: (value: unknown, report: Report, warn: Report, written: unknown) => T | undefined,
): ConfigFile<T> {
  const document = arrange(readJson(text, file));
  const { value, problems: unfilled } = interpolate(document.value, variables);
  const found: PathProblem[] = [];
  const warnings: PathProblem[] = [];
  const config = read(
    value,
    (path, message) => found.push({ path, message }),
    (path, message) => warnings.push({ path, message }),
    document.value,
  );
  // A missing variable is reported once; further problems of the same value would only be noise.
  const meaningful = found.filter(({ path }) => !unfilled.some((problem) => samePath(problem.path, path)));
  const problems = [...document.problems, ...unfilled, ...meaningful];
  if (problems.length > 0 || config === undefined) throw new ConfigError(file, placed(problems, document));
  return { config: deepFreeze(config), warnings: placed(warnings, document) };
}

function placed(problems: readonly PathProblem[], document: JsonDocument): Problem[] {
  return problems
    .map(({ path, ...rest }) => ({ ...document.placeOf(path), ...rest }))
    .sort((first, second) => first.line - second.line);
}

function samePath(first: JsonPath, second: JsonPath): boolean {
  return first.length === second.length && first.every((segment, index) => segment === second[index]);
}

/** Freezes an object or array with everything it holds, and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) deepFreeze(part);
  return value;
}

/** A map nobody can change: `Object.freeze` alone does not stop `set`. Its methods throw a TypeError. */
export function frozenMap<K, V>(entries: Iterable<readonly [K, V]>): ReadonlyMap<K, V> {
  const map = new Map(entries);
  // Not enumerable, so that the map still prints and compares like any other.
  Object.defineProperties(map, { set: { value: refuse }, delete: { value: refuse }, clear: { value: refuse } });
  return Object.freeze(map);
}

function refuse(): never {
  throw new TypeError('The configuration is frozen.');
}
