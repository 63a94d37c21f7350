import type { Family } from './families.ts';
import type { ImageOperation } from './ledger.ts';
import type { RequestBody } from './request-body.ts';

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
  (least: number, most: number): Rule =>
  (value) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
      ? undefined
      : `must be an integer from ${least} to ${most}`;

/** The value is a number within these bounds. */
export const numberWithin =
  (least: number, most: number): Rule =>
  (value) =>
    typeof value === 'number' && value >= least && value <= most
      ? undefined
      : `must be a number from ${least} to ${most}`;

/** The value is a text of so many characters. */
export const textWithin =
  (least: number, most: number): Rule =>
  (value) =>
    typeof value === 'string' && value.length >= least && value.length <= most
      ? undefined
      : `must be a text of ${least} to ${most} characters`;

// CONTRACTS §3.6 states no limits for FLUX: these keep the drawing small.
const [shortestEdge, maxEdge] = [64, 2048];
const isEdge = (value: number) => value >= shortestEdge && value <= maxEdge;

/** The value is true or false. */
export const flag: Rule = (value) => (typeof value === 'boolean' ? undefined : 'must be a boolean');

/** CONTRACTS §4, pixel rule: both edges ÷16, ratio ≤ 3:1, long edge ≤ 3840, 655 360 to 8 294 400 pixels. */
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

/** CONTRACTS §3.2: `output_compression` exists for jpeg only. */
const compression: Rule = (value, body) =>
  body.output_format === 'jpeg' ? integerWithin(0, 100)(value, body) : 'is allowed with output_format jpeg only';

/** CONTRACTS §4, note 3: transparency needs png at Azure, which makes no webp. */
const background: Rule = (value, body) =>
  value === 'transparent' && body.output_format === 'jpeg'
    ? 'must not be transparent with output_format jpeg'
    : oneOf('auto', 'opaque', 'transparent')(value, body);

/** CONTRACTS §2.2: partial images come in a stream only. */
const partialImages: Rule = (value, body) =>
  body.stream === true ? integerWithin(0, 3)(value, body) : 'is allowed with stream only';

function generationRulesOf(family: Family): Rules {
  const asked: Rules = {
    prompt: textWithin(1, family.maximumPromptLength),
    // CONTRACTS §4: dall-e-3 and FLUX make one image a call, GPT image up to ten; §3.1: the legacy flow up to five.
    n: integerWithin(1, family.maximumCount),
    size: sizeOf(family),
  };
  // CONTRACTS §3.6 and §4: width and height beside size, and a seed, which no other family here has.
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
  // CONTRACTS §3.1: the documents allow the legacy flow `url` only.
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
    // CONTRACTS §3.2: png and jpeg only; webp is in a schema, but the documents deny it.
    output_format: oneOf('png', 'jpeg'),
    output_compression: compression,
    moderation: oneOf('auto', 'low'),
    stream: flag,
    partial_images: partialImages,
  };
}

/** The rules of an edit beside those of a generation (CONTRACTS §1.3). */
function editRulesOf({ edits }: Family): Rules {
  return edits?.inputFidelities === undefined ? {} : { input_fidelity: oneOf(...edits.inputFidelities) };
}

/** What a family wants of the parameters of an operation. */
export function rulesOf(family: Family, operation: ImageOperation): Rules {
  const rules = generationRulesOf(family);
  return operation === 'edit' ? { ...rules, ...editRulesOf(family) } : rules;
}

/** CONTRACTS §2.3 and §4: GPT image 2 wants it left out and says so in a way of its own. */
export function wantsNoInputFidelity({ edits }: Family): boolean {
  return edits?.inputFidelities?.length === 0;
}
