/** One mistake the operator can correct. It never holds a value: values may be keys. */
export type Problem = {
  /** JSON path such as `models.poster.targets[0].apiVersion`, or the environment variable; empty for the whole file. */
  readonly path: string;
  /** Line in the file, counted from 1. */
  readonly line?: number;
  readonly message: string;
  /** The environment variable that a `${NAME}` asked for and that is unset or empty. */
  readonly missingVariable?: string;
};

/** The configuration cannot be used. Carries every problem that was found; `message` lists one per line. */
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
export function printProblem(problem: Problem): string {
  if (problem.path === '') return `  ${problem.message}`;
  const line = problem.line === undefined ? '' : ` (line ${problem.line})`;
  return `  ${problem.path}${line}: ${problem.message}`;
}

/** What an operator should see to although it is allowed, one line each. */
export function printWarnings(subject: string, warnings: readonly Problem[]): string[] {
  return warnings.map((warning) => `${subject}: ${printProblem(warning).trim()}`);
}
