import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { openApiDocument } from '../../../src/http/openapi/document.ts';

type Response = {
  readonly $ref?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, object>>;
};
type Operation = { readonly responses: Readonly<Record<string, Response>>; readonly security?: readonly object[] };

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });
ajv.addSchema(openApiDocument as object, 'document');

/** What the document has at this JSON pointer, with a link followed. */
function at<T extends object>(pointer: string): T | undefined {
  const names = pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const found = names.reduce<unknown>(
    (value, name) => (value as Record<string, unknown> | undefined)?.[name],
    openApiDocument,
  );
  const { $ref } = (found ?? {}) as { $ref?: string };
  return $ref === undefined ? (found as T | undefined) : at<T>($ref.slice(1));
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** The operation of a documented path. */
export function operation(path: string, method: string): Operation | undefined {
  return at<Operation>(`/paths/${escaped(path)}/${method.toLowerCase()}`);
}

export function documentedResponse(path: string, method: string, status: number): Response | undefined {
  return at<Response>(`/paths/${escaped(path)}/${method.toLowerCase()}/responses/${status}`);
}

const compiled = new Map<string, ValidateFunction>();

/** What is wrong with a value by a schema of the document's components, in words; empty: nothing. */
export function problems(schema: string, value: unknown): string {
  const pointer = `document#/components/schemas/${schema}`;
  const validate = compiled.get(pointer) ?? ajv.compile({ $ref: pointer });
  compiled.set(pointer, validate);
  return validate(value) ? '' : ajv.errorsText(validate.errors, { dataVar: schema });
}

/** The same for whatever schema an answer's content has. */
export function problemsOf(content: object | undefined, value: unknown): string {
  const { schema } = (content ?? {}) as { schema?: object };
  if (schema === undefined) return '';
  const text = JSON.stringify(schema).replaceAll('"#/', '"document#/');
  const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object);
  compiled.set(text, validate);
  return validate(value) ? '' : ajv.errorsText(validate.errors);
}
