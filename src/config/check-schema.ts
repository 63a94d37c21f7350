import { z } from 'zod';
import { printableNameRule } from '../domain/printable-name.ts';
import { type JsonPath, printName, type Report, suggest } from './problems.ts';

type RawIssue = z.core.$ZodRawIssue;

const kinds: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** Where an unknown key belongs, e.g. "it belongs to the model". */
export type Misplaced = (key: string) => string | undefined;

/**
 * Checks a value and reports every issue at its path below `path`.
 *
 * @returns the parsed value, or undefined when there was an issue
 */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: JsonPath,
  report: Report,
  misplaced?: Misplaced,
): z.output<Schema> | undefined {
  const result = schema.safeParse(value, { error: describe });
  if (result.success) return result.data;
  for (const issue of result.error.issues.flatMap(issuesOfMeant)) {
    const place = [...path, ...issue.path.map((segment) => (typeof segment === 'symbol' ? String(segment) : segment))];
    if (issue.code !== 'unrecognized_keys') {
      report(place, issue.message);
      continue;
    }
    const known = keysAt(schema, issue.path);
    // Advice about other levels applies to the top of the value only.
    const adviceFor = issue.path.length === 0 ? misplaced : undefined;
    for (const key of issue.keys) report([...place, key], describeUnknownKey(key, known, adviceFor?.(key)));
  }
  return undefined;
}

/** The issues of the one form of a union that has the type of the value, if there is one. */
function issuesOfMeant(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const isOther = ({ code, path }: z.core.$ZodIssue) => path.length === 0 && /^invalid_(?:type|value)$/.test(code);
  const [meant, ...others] = issue.errors.filter((issues) => !issues.some(isOther));
  if (meant === undefined || others.length > 0) return [issue];
  return meant.flatMap((inner) => issuesOfMeant({ ...inner, path: [...issue.path, ...inner.path] }));
}

function describeUnknownKey(key: string, known: readonly string[], advice: string | undefined): string {
  return `unknown key \`${printName(key)}\`${advice === undefined ? suggest(key, known) : `: ${advice}`}`;
}

function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const object = unwrap(schema);
  const [key, ...rest] = path;
  if (object instanceof z.ZodArray && key !== undefined) return keysAt(object.element, rest);
  if (object instanceof z.ZodUnion) return object.options.flatMap((option) => keysAt(option, path));
  if (object instanceof z.ZodRecord && key !== undefined) return keysAt(object.valueType as z.core.$ZodType, rest);
  if (!(object instanceof z.ZodObject)) return [];
  if (key === undefined) return Object.keys(object.shape);
  const member = object.shape[String(key)];
  return member === undefined ? [] : keysAt(member, rest);
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodExactOptional ? unwrap(schema.unwrap()) : schema;
}

// Never zod's own messages: some of them repeat the value.
function describe(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${kinds[String(issue.expected)] ?? 'something else'}`;
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array'
        ? 'must not be empty'
        : `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_value':
      return issue.input === undefined ? 'is required' : `must be one of ${issue.values.join(', ')}`;
    case 'invalid_key':
      return `the name ${printableNameRule}`;
    default:
      return 'is not valid';
  }
}
