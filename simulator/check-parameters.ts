import {
  invalidInputFidelityModel,
  missingParameter,
  modelDoesNotExist,
  type PlainAnswer,
  refusal,
  unknownParameter,
} from './azure-errors.ts';
import type { Family } from './families.ts';
import type { ImageOperation } from './ledger.ts';
import { type Rules, rulesOf, wantsNoInputFidelity } from './parameter-rules.ts';
import type { RequestBody } from './request-body.ts';

/** Checks members by their rules. A refusal calls them what `nameOf` makes of their names. */
export function checkMembers(members: RequestBody, rules: Rules, nameOf = (name: string) => name) {
  for (const [name, value] of Object.entries(members)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    const param = nameOf(name);
    // CONTRACTS §3.2: GPT image refuses response_format and style, dall-e-3 everything that only GPT image has.
    if (rule === undefined) return unknownParameter(param);
    const problem = rule(value, members);
    if (problem !== undefined) return refusal(`Invalid value for '${param}': it ${problem}.`, param, 'invalid_value');
  }
  return undefined;
}

/**
 * Says why Azure would refuse this body, or undefined. Absent members are fine except `prompt`; a JSON null is a
 * value of the wrong type, so that a gateway has to drop it (CONTRACTS §6, trap 4).
 */
export function checkParameters(family: Family, body: RequestBody, operation: ImageOperation): PlainAnswer | undefined {
  const { model, ...parameters } = body;
  // CONTRACTS §3.2: body "model" is refused unless it is the canonical name.
  if (model !== undefined && model !== family.name) return modelDoesNotExist(model);
  if (parameters.prompt === undefined) return missingParameter('prompt');
  if (operation === 'edit' && parameters.input_fidelity !== undefined && wantsNoInputFidelity(family)) {
    return invalidInputFidelityModel(family.name);
  }
  const refused = checkMembers(parameters, rulesOf(family, operation));
  if (refused !== undefined) return refused;
  // CONTRACTS §2.2: a stream makes one image; Azure names the whole input as the culprit.
  if (parameters.stream === true && parameters.n !== undefined && parameters.n !== 1) {
    const message = 'Streaming is only supported with n=1.';
    return refusal(message, 'input', 'unsupported_parameter', 'image_generation_user_error');
  }
  return undefined;
}
