import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import type { JsonObject } from '../domain/dialect.ts';
import { ConfigError, formatPath, type JsonPath, type PathProblem, type Problem } from './problems.ts';

/** A JSON text as plain values, with what is needed to point back into the text. */
export type JsonDocument = {
  readonly value: unknown;
  /** Keys that cannot be used; a duplicate one at its second place. */
  readonly problems: readonly PathProblem[];
  /** The printed path of a value, and its line from 1, or that of its nearest existing parent. */
  readonly placeOf: (path: JsonPath) => Pick<Problem, 'path'> & { readonly line: number };
};

const deepestNesting = 32;

// Messages for jsonc-parser's error names. Only the first error is shown, because the others usually follow from it.
const syntaxErrors: Readonly<Record<string, string>> = {
  PropertyNameExpected: 'expected a key in double quotes',
  ValueExpected: 'expected a value',
  ColonExpected: 'expected a colon',
  CommaExpected: 'expected a comma',
  CloseBraceExpected: 'expected a closing }',
  CloseBracketExpected: 'expected a closing ]',
  EndOfFileExpected: 'expected the end of the file',
  UnexpectedEndOfComment: 'a comment is not closed',
  UnexpectedEndOfString: 'a string is not closed',
  UnexpectedEndOfNumber: 'a number is incomplete',
  InvalidUnicode: 'a \\u escape needs four hexadecimal digits',
  InvalidEscapeCharacter: 'this escape does not exist in JSON',
  InvalidCharacter: 'a control character in a string must be escaped',
};

/**
 * Reads JSON in which comments, trailing commas and a byte order mark are allowed.
 *
 * @param subject what the text is called in an error
 * @throws ConfigError at the first syntax error, with line and column but without any of the text
 */
export function readJson(text: string, subject: string): JsonDocument {
  const source = text.replace(/^\uFEFF/, '');
  refuseDeepNesting(source, subject);
  const errors: ParseError[] = [];
  const root = parseTree(source, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined || root === undefined) throw syntaxError(source, subject, error);
  return documentOf(source, root);
}

// The parser and all later checks recurse, and a stack overflow would not be a ConfigError.
function refuseDeepNesting(source: string, subject: string): void {
  const scanner = createScanner(source, true);
  let depth = 0;
  for (let token = scanner.scan(); token !== endOfFile; token = scanner.scan()) {
    if (token === openBrace || token === openBracket) depth += 1;
    if (token === closeBrace || token === closeBracket) depth -= 1;
    if (depth <= deepestNesting) continue;
    const { line, column } = positionOf(source, scanner.getTokenOffset());
    const message = `nested deeper than ${deepestNesting} levels at line ${line}, column ${column}`;
    throw new ConfigError(subject, [{ path: '', line, message }]);
  }
}

// SyntaxKind is an ambient const enum, which isolated modules cannot import.
const openBrace = 1;
const closeBrace = 2;
const openBracket = 3;
const closeBracket = 4;
const endOfFile = 17;

function syntaxError(source: string, subject: string, error: ParseError | undefined): ConfigError {
  const { line, column } = positionOf(source, error?.offset ?? 0);
  const reason = error === undefined ? undefined : syntaxErrors[printParseErrorCode(error.error)];
  const message = `not valid JSON at line ${line}, column ${column}: ${reason ?? 'expected a JSON value'}`;
  return new ConfigError(subject, [{ path: '', line, message }]);
}

function documentOf(source: string, root: Node): JsonDocument {
  const offsets = new Map<string, number>();
  const problems: PathProblem[] = [];

  function readValue(node: Node, path: JsonPath): unknown {
    if (!offsets.has(keyOf(path))) offsets.set(keyOf(path), node.offset);
    if (node.type === 'array') return node.children?.map((child, index) => readValue(child, [...path, index])) ?? [];
    if (node.type === 'object') return readObject(node, path);
    return node.value;
  }

  function readObject(node: Node, path: JsonPath): object {
    // Without a prototype, `__proto__` is an ordinary key. It is refused, because later copies would lose it silently.
    const object: Record<string, unknown> = Object.create(null);
    for (const property of node.children ?? []) {
      const [key, value] = property.children ?? [];
      if (key === undefined || value === undefined) continue;
      const place = [...path, String(key.value)];
      if (key.value === '__proto__') problems.push({ path: place, message: 'this key is not allowed' });
      if (Object.hasOwn(object, key.value)) problems.push(duplicate(place));
      offsets.set(keyOf(place), key.offset);
      object[key.value] = readValue(value, place);
    }
    return object;
  }

  function duplicate(path: JsonPath): PathProblem {
    const { line } = positionOf(source, offsets.get(keyOf(path)) ?? 0);
    return { path, message: `duplicate key, already used on line ${line}` };
  }

  function lineOf(path: JsonPath): number {
    const offset = offsets.get(keyOf(path));
    if (offset !== undefined) return positionOf(source, offset).line;
    return path.length === 0 ? 1 : lineOf(path.slice(0, -1));
  }

  const value = readValue(root, []);
  return { value, problems, placeOf: (path) => ({ path: formatPath(path), line: lineOf(path) }) };
}

function keyOf(path: JsonPath): string {
  return JSON.stringify(path);
}

function positionOf(source: string, offset: number): { line: number; column: number } {
  const lines = source.slice(0, offset).split(/\r\n|\r|\n/);
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}

/** Whether a JSON value is an object: neither a list nor null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
