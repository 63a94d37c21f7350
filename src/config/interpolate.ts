import type { JsonPath, PathProblem } from './problems.ts';

/** Names and values a models file may refer to; normally the process environment. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The names of changed variables, without those that the text refers to. */
export function changedVariables(before: Variables, now: Variables, text: string): string[] {
  const referred = referredNames(text);
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names].filter((name) => !referred.has(name) && read(before, name) !== read(now, name));
}

/** The names of the variables that a text refers to. */
export function referredNames(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(reference)].map(([, name = '']) => name));
}

/** Whether a string contains the value of a variable. A default that applies does not count: it is written in the file. */
export function isFromVariable(text: string, variables: Variables): boolean {
  return [...text.matchAll(reference)].some(([, name = '']) => read(variables, name) !== '');
}

/** A value with its variables replaced. A string with a problem becomes `undefined`. */
export type Interpolated = { readonly value: unknown; readonly problems: readonly PathProblem[] };

const reference = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}/g;
// biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
const malformed = 'a reference must be written ${NAME} or ${NAME:-default}, and defaults cannot be nested';

/**
 * Replaces `${NAME}` and `${NAME:-default}` in every string of a JSON value; an empty variable counts as unset.
 * Values of variables are not interpolated again.
 */
export function interpolate(value: unknown, variables: Variables): Interpolated {
  const problems: PathProblem[] = [];

  function fill(current: unknown, path: JsonPath): unknown {
    if (typeof current === 'string') return fillString(current, path);
    if (Array.isArray(current)) return current.map((item, index) => fill(item, [...path, index]));
    if (typeof current !== 'object' || current === null) return current;
    const filled: Record<string, unknown> = Object.create(null);
    for (const [key, item] of Object.entries(current)) filled[key] = fill(item, [...path, key]);
    return filled;
  }

  function fillString(text: string, path: JsonPath): string | undefined {
    if (text.replace(reference, '').includes('${')) {
      problems.push({ path, message: malformed });
      return undefined;
    }
    const missing = missingIn(text, variables);
    problems.push(...missing.map((name) => missingProblem(path, name)));
    if (missing.length > 0) return undefined;
    return text.replace(reference, (_, name: string, fallback?: string) => read(variables, name) || (fallback ?? ''));
  }

  return { value: fill(value, []), problems };
}

function missingIn(text: string, variables: Variables): string[] {
  const names = new Set<string>();
  for (const [, name = '', fallback] of text.matchAll(reference)) {
    if (fallback === undefined && read(variables, name) === '') names.add(name);
  }
  return [...names];
}

function missingProblem(path: JsonPath, name: string): PathProblem {
  const message = `the environment variable ${name} is unset or empty`;
  return { path, message, missingVariable: name };
}

// Own properties only: ${constructor} must not find Object.prototype.
function read(variables: Variables, name: string): string {
  return (Object.hasOwn(variables, name) ? variables[name] : undefined) ?? '';
}
