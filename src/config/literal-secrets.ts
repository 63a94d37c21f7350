import { isFromVariable, type Variables } from './interpolate.ts';
import type { JsonPath, Report } from './json-path.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
const advice = 'this secret stands in the file itself, and in every copy of it: use a variable, and write ${NAME} here';

/** Names of headers that hold secrets. */
const secretName = /key|token|secret|auth|password|signature|cookie/i;

/** Warns of secrets that a models file, as it is written, holds itself: such files are shared and committed. */
export function warnOfLiteralSecrets(written: unknown, variables: Variables, warn: Report): void {
  const isLiteral = (value: unknown): value is string => typeof value === 'string' && !isFromVariable(value, variables);

  function lookAtTarget(target: unknown, path: JsonPath): void {
    const { apiKey, headers, targets } = membersOf(target);
    if (isLiteral(apiKey)) warn([...path, 'apiKey'], advice);
    for (const [name, value] of Object.entries(membersOf(headers))) {
      if (secretName.test(name) && isLiteral(value)) warn([...path, 'headers', name], advice);
    }
    if (!Array.isArray(targets)) return;
    for (const [index, one] of targets.entries()) lookAtTarget(one, [...path, 'targets', index]);
  }

  const { models, egressProxy } = membersOf(written);
  for (const [name, model] of Object.entries(membersOf(models))) lookAtTarget(model, ['models', name]);
  if (isLiteral(egressProxy) && egressProxy.includes('@')) warn(['egressProxy'], advice);
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
