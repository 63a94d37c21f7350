/** Where a value stands in a JSON document: keys and array positions from the root. */
export type JsonPath = readonly (string | number)[];

/** Something wrong at a place of the document, before lines are known. */
export type PathProblem = {
  readonly path: JsonPath;
  readonly message: string;
  readonly missingVariable?: string;
};

/** Takes note of a problem; checking goes on, so that all problems are reported together. */
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
