import {
  invalidInputFidelityModel,
  missingParameter,
  modelDoesNotExist,
  type PlainResponse,
  refusal,
  unknownParameter,
} from './azure-errors.ts';
import type { Family } from './families.ts';
import type { RequestBody } from './incoming-request.ts';
import type { ImageOperation } from './ledger.ts';

/** Checks members by their rules. A refusal calls them what `nameOf` makes of their names. */
export function checkMembers(members: RequestBody, rules: Rules, nameOf = (name: string) => name) {
  for (const [name, value] of Object.entries(members)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    const param = nameOf(name);
    // GPT image refuses response_format and style, dall-e-3 everything that only GPT image has.
    if (rule === undefined) return unknownParameter(param);
    const problem = rule(value, members);
    if (problem !== undefined) return refusal(`Invalid value for '${param}': it ${problem}.`, param, 'invalid_value');
  }
  return undefined;
}

/**
 * Says why Azure would refuse this body, or undefined. Absent members are fine except `prompt`; a JSON null is a
 * value of the wrong type, so that a gateway has to drop it.
 */
export function checkParameters(
  family: Family,
  body: RequestBody,
  operation: ImageOperation,
): PlainResponse | undefined {
  const { model, ...parameters } = body;
  // Body "model" is refused unless it is the canonical name.
  if (model !== undefined && model !== family.name) return modelDoesNotExist(model);
  if (parameters.prompt === undefined) return missingParameter('prompt');
  if (operation === 'edit' && parameters.input_fidelity !== undefined && wantsNoInputFidelity(family)) {
    return invalidInputFidelityModel(family.name);
  }
  const refused = checkMembers(parameters, rulesOf(family, operation));
  if (refused !== undefined) return refused;
  // A stream makes one image; Azure names the whole input as the culprit.
  if (parameters.stream === true && parameters.n !== undefined && parameters.n !== 1) {
    const message = 'Streaming is only supported with n=1.';
    return refusal(message, 'input', 'unsupported_parameter', 'image_generation_user_error');
  }
  return undefined;
}

/** Says what is wrong with a value, or undefined; it may look at the other parameters. */
export type Rule = (value: unknown, body: RequestBody) => string | undefined;
/** The rules of all parameters that there are, by name. */
export type Rules = Readonly<Record<string, Rule>>;

/** The value is one of these. */
export const oneOf =
  (...allowed: readonly unknown[]): Rule =>
  (value) =>
    allowed.includes(value) ? undefined : `must be one of ${allowed.join(', ')}`;

/** The value is a whole number within these bounds. */
export const integerWithin =
  (min: number, max: number): Rule =>
  (value) =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max
      ? undefined
      : `must be an integer from ${min} to ${max}`;

/** The value is a number within these bounds. */
export const numberWithin =
  (min: number, max: number): Rule =>
  (value) =>
    typeof value === 'number' && value >= min && value <= max ? undefined : `must be a number from ${min} to ${max}`;

/** The value is a text of so many characters. */
export const textWithin =
  (min: number, max: number): Rule =>
  (value) =>
    typeof value === 'string' && value.length >= min && value.length <= max
      ? undefined
      : `must be a text of ${min} to ${max} characters`;

// The documents state no limits for FLUX: these keep the drawing small.
const [shortestEdge, maxEdge] = [64, 2048];
const isEdge = (value: number) => value >= shortestEdge && value <= maxEdge;

/** The value is true or false. */
export const flag: Rule = (value) => (typeof value === 'boolean' ? undefined : 'must be a boolean');

/** Free sizes: both edges ÷16, ratio ≤ 3:1, long edge ≤ 3840, 655 360 to 8 294 400 pixels. */
function withinPixelRule(size: string): boolean {
  const match = /^([1-9]\d{1,3})x([1-9]\d{1,3})$/.exec(size);
  if (match === null) return false;
  const [width, height] = [Number(match[1]), Number(match[2])];
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const pixels = width * height;
  return (
    width % 16 === 0 &&
    height % 16 === 0 &&
    long <= 3840 &&
    long <= 3 * short &&
    pixels >= 655_360 &&
    pixels <= 8_294_400
  );
}

const sizeText: Rule = (value) =>
  typeof value === 'string' &&
  /^[1-9]\d+x[1-9]\d+$/.test(value) &&
  value.split('x').every((edge) => isEdge(Number(edge)))
    ? undefined
    : `must be two edges of ${shortestEdge} to ${maxEdge} pixels, as in 1024x1024`;

function sizeOf(family: Family): Rule {
  if (family.kind === 'flux') return sizeText;
  const listed = oneOf(...family.sizes);
  return (value, body) =>
    family.freeSizes && typeof value === 'string' && withinPixelRule(value) ? undefined : listed(value, body);
}

/** `output_compression` exists for jpeg only. */
const compression: Rule = (value, body) =>
  body.output_format === 'jpeg' ? integerWithin(0, 100)(value, body) : 'is allowed with output_format jpeg only';

/** Transparency needs png at Azure, which makes no webp. */
const background: Rule = (value, body) =>
  value === 'transparent' && body.output_format === 'jpeg'
    ? 'must not be transparent with output_format jpeg'
    : oneOf('auto', 'opaque', 'transparent')(value, body);

/** Partial images come in a stream only. */
const partialImages: Rule = (value, body) =>
  body.stream === true ? integerWithin(0, 3)(value, body) : 'is allowed with stream only';

function generationRulesOf(family: Family): Rules {
  const asked: Rules = {
    prompt: textWithin(1, family.maximumPromptLength),
    // dall-e-3 and FLUX make one image a call, GPT image up to ten, the legacy flow up to five.
    n: integerWithin(1, family.maximumCount),
    size: sizeOf(family),
  };
  // Width and height beside size, and a seed, which no other family here has.
  if (family.kind === 'flux') {
    return {
      ...asked,
      width: integerWithin(shortestEdge, maxEdge),
      height: integerWithin(shortestEdge, maxEdge),
      output_format: oneOf('png', 'jpeg'),
      seed: integerWithin(0, Number.MAX_SAFE_INTEGER),
      response_format: oneOf('url', 'b64_json'),
    };
  }
  const shared: Rules = { ...asked, user: textWithin(0, 1000) };
  // The documents allow the legacy flow `url` only.
  if (family.kind === 'dall-e-2') return { ...shared, response_format: oneOf('url') };
  if (family.kind === 'dall-e-3') {
    return {
      ...shared,
      quality: oneOf(...family.qualities),
      style: oneOf('vivid', 'natural'),
      response_format: oneOf('url', 'b64_json'),
    };
  }
  return {
    ...shared,
    quality: oneOf(...family.qualities),
    background,
    // PNG and JPEG only; webp is in a schema, but the documents exclude it.
    output_format: oneOf('png', 'jpeg'),
    output_compression: compression,
    moderation: oneOf('auto', 'low'),
    stream: flag,
    partial_images: partialImages,
  };
}

/** The rules of an edit beside those of a generation. */
function editRulesOf({ edits }: Family): Rules {
  return edits?.inputFidelities === undefined ? {} : { input_fidelity: oneOf(...edits.inputFidelities) };
}

/** What a family wants of the parameters of an operation. */
export function rulesOf(family: Family, operation: ImageOperation): Rules {
  const rules = generationRulesOf(family);
  return operation === 'edit' ? { ...rules, ...editRulesOf(family) } : rules;
}

/** GPT image 2 wants it left out and says so in a way of its own. */
export function wantsNoInputFidelity({ edits }: Family): boolean {
  return edits?.inputFidelities?.length === 0;
}
