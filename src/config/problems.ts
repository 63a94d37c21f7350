import { nearestWord } from '../codec/nearest-word.ts';

/** One mistake in the configuration. It never holds a value, because values may be keys. */
export type Problem = {
  /** JSON path such as `models.poster.targets[0].apiVersion`, or the environment variable; empty for the whole file. */
  readonly path: string;
  /** Line in the file, counted from 1. */
  readonly line?: number;
  readonly message: string;
  /** The unset or empty environment variable of a `${NAME}`. */
  readonly missingVariable?: string;
};

/** The configuration is invalid. Carries every problem that was found; `message` lists one per line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  /** @param subject what was read, e.g. the path of the models file */
  constructor(subject: string, problems: readonly Problem[]) {
    super([`Problems in ${subject}:`, ...problems.map(printProblem)].join('\n'));
    this.problems = Object.freeze([...problems]);
  }
}

/** One line, without its end. */
function printProblem(problem: Problem): string {
  if (problem.path === '') return `  ${problem.message}`;
  const line = problem.line === undefined ? '' : ` (line ${problem.line})`;
  return `  ${problem.path}${line}: ${problem.message}`;
}

/** Warnings about what is valid but probably not meant, one line each. */
export function printWarnings(subject: string, warnings: readonly Problem[]): string[] {
  return warnings.map((warning) => `${subject}: ${printProblem(warning).trim()}`);
}

/** Where a value stands in a JSON document: keys and array positions from the root. */
export type JsonPath = readonly (string | number)[];

/** Something wrong at a place of the document, before lines are known. */
export type PathProblem = {
  readonly path: JsonPath;
  readonly message: string;
  readonly missingVariable?: string;
};

/** Records a problem; checking continues, so that all problems are reported together. */
export type Report = (path: JsonPath, message: string) => void;

/** Prints `models.poster.targets[0].name`; keys with other characters than letters, digits, `_`, `$`, `-` are quoted. */
export function formatPath(path: JsonPath): string {
  return path.map(formatSegment).join('').replace(/^\./, '');
}

/** Escapes a name from the file so that it can break neither a line nor a terminal. */
export function printName(name: string): string {
  return JSON.stringify(name)
    .slice(1, -1)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapeCharacter);
}

function formatSegment(segment: string | number): string {
  if (typeof segment === 'number') return `[${segment}]`;
  return /^[\w$-]+$/.test(segment) ? `.${segment}` : `["${printName(segment)}"]`;
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** `, did you mean \`baseURL\`?` when one of the known words is near, otherwise an empty string. */
export function suggest(word: string, known: readonly string[]): string {
  const candidate = nearestWord(word, known);
  return candidate === undefined ? '' : `, did you mean \`${printName(candidate)}\`?`;
}
