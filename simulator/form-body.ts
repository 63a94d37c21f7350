import { type PlainAnswer, refusal } from './azure-errors.ts';
import type { ReceivedForm } from './receive-form.ts';
import type { RequestBody } from './request-body.ts';

const numbers = new Set(['n', 'output_compression', 'partial_images', 'width', 'height', 'seed']);
const flags = new Set(['stream']);
// CONTRACTS §3.2 and §1.3: upstreams were seen to want a capital, and clients send lower case.
const flagTexts: Readonly<Record<string, boolean>> = { true: true, True: true, false: false, False: false };

/** The fields of a form as the body that a JSON request would have, or why they are none. */
export function formBody({ record, lateField }: ReceivedForm): { body: RequestBody } | PlainAnswer {
  if (lateField !== undefined) {
    const message = `The field '${lateField}' comes after a file; all fields have to come before all files.`;
    return refusal(message, lateField, 'field_after_file');
  }
  const names = record.fields.map(([name]) => name);
  const double = names.find((name, position) => names.indexOf(name) !== position);
  if (double !== undefined) return refusal(`Duplicate parameter: '${double}'.`, double, 'duplicate_parameter');
  return { body: Object.fromEntries(record.fields.map(([name, value]) => [name, fieldValue(name, value)])) };
}

// Text that is no number stays text, so that the check of the parameter finds a value of the wrong type.
function fieldValue(name: string, text: unknown): unknown {
  if (typeof text !== 'string') return text;
  if (numbers.has(name) && /^-?\d+(?:\.\d+)?$/.test(text)) return Number(text);
  return flags.has(name) && Object.hasOwn(flagTexts, text) ? flagTexts[text] : text;
}
