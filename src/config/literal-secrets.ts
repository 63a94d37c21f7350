import { isFromVariable, type Variables } from './interpolate.ts';
import type { Report } from './json-path.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
const advice = 'this secret stands in the file itself, and in every copy of it: use a variable, and write ${NAME} here';

/** Names of headers that hold secrets. */
const secretName = /key|token|secret|auth|password|signature|cookie/i;

/** Warns of secrets that a models file, as it is written, holds itself: such files are shared and committed. */
export function warnOfLiteralSecrets(written: unknown, variables: Variables, warn: Report): void {
  const isLiteral = (value: unknown): value is string => typeof value === 'string' && !isFromVariable(value, variables);

  const { models, egressProxy } = membersOf(written);
  for (const [name, model] of Object.entries(membersOf(models))) {
    const { targets } = membersOf(model);
    for (const [index, target] of (Array.isArray(targets) ? targets : []).entries()) {
      const { apiKey, headers } = membersOf(target);
      const path = ['models', name, 'targets', index];
      if (isLiteral(apiKey)) warn([...path, 'apiKey'], advice);
      for (const [header, value] of Object.entries(membersOf(headers))) {
        if (secretName.test(header) && isLiteral(value)) warn([...path, 'headers', header], advice);
      }
    }
  }
  if (isLiteral(egressProxy) && egressProxy.includes('@')) warn(['egressProxy'], advice);
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
