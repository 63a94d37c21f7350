import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type { EditInputs } from '../../../domain/image-input.ts';
import { type ImageRequest, maxImages } from '../../../domain/image-request.ts';
import type { ImageCall } from '../../surface.ts';

const word = z.string('must be a string').min(1, 'must not be empty').max(64, 'is too long');

/**
 * OpenAI's CreateImageRequest and CreateImageEditRequest, as far as the gateway looks into them; ranges that differ by model
 * are checked against the model's family later. Everything else passes into `extra`.
 */
export const imageParameters = z.looseObject({
  model: z.string('must be a string').min(1, 'must not be empty').max(256, 'is too long').optional(),
  prompt: z.string('must be a string').min(1, 'must not be empty'),
  n: z.int('must be a whole number').min(1, 'must be 1 to 10').max(maxImages, 'must be 1 to 10').default(1),
  size: word.optional(),
  quality: word.optional(),
  background: word.optional(),
  output_format: word.optional(),
  output_compression: z
    .int('must be a whole number')
    .min(0, 'must be 0 to 100')
    .max(100, 'must be 0 to 100')
    .optional(),
  moderation: word.optional(),
  style: word.optional(),
  input_fidelity: word.optional(),
  user: z.string('must be a string').max(1024, 'is too long').optional(),
  response_format: z.enum(['url', 'b64_json'], "must be 'url' or 'b64_json'").optional(),
  stream: z.boolean('must be true or false').default(false),
  partial_images: z.int('must be a whole number').min(0, 'must be 0 to 3').max(3, 'must be 0 to 3').default(0),
});

/** Reads the JSON body of `…/images/generations`. */
export function parseGeneration({ body }: Pick<FastifyRequest, 'body'>): ImageCall {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new GatewayError('invalid_value', 'The request’s body must be a JSON object.');
  }
  return parseParameters(body as Record<string, unknown>, undefined);
}

/**
 * Parses parameters by their wire names, whichever form they came in. Throws a GatewayError that names the parameter at
 * fault.
 */
export function parseParameters(sent: Readonly<Record<string, unknown>>, edit: EditInputs | undefined): ImageCall {
  // JSON null means "not set" everywhere in OpenAI's API.
  const given = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== null));
  // As text it is the background of the image.
  const { background } = given;
  if (typeof background === 'boolean') delete given.background;
  const parsed = imageParameters.safeParse(given);
  if (!parsed.success) throw invalidParameter(parsed.error, given);
  const known = parsed.data;
  const extra = Object.fromEntries(
    Object.entries(given).filter(([name]) => !Object.hasOwn(imageParameters.shape, name)),
  );
  for (const [name, value] of Object.entries(extra)) checkExtra(name, value);
  const [param] = Object.entries(given).find(([, value]) => hasLoneSurrogate(value)) ?? [];
  if (param !== undefined) {
    throw new GatewayError('invalid_value', `'${param}' holds half of a surrogate pair.`, { param });
  }
  const request: ImageRequest = {
    edit,
    prompt: known.prompt,
    count: known.n,
    size: known.size,
    quality: known.quality,
    background: known.background,
    outputFormat: known.output_format,
    outputCompression: known.output_compression,
    moderation: known.moderation,
    style: known.style,
    inputFidelity: known.input_fidelity,
    user: known.user,
    delivery: known.response_format,
    stream: known.stream,
    partialImages: known.partial_images,
    extra,
  };
  return { model: known.model, request, startsJob: background === true };
}

/** Half of a surrogate pair, which JSON can escape, has no form in UTF-8: another character would be sent in its place. */
function hasLoneSurrogate(value: unknown): boolean {
  if (typeof value === 'string') return !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, member]) => !name.isWellFormed() || hasLoneSurrogate(member));
}

/** How forms write the members of a parameter that is an object. */
const bracketedName = /^(?=.{1,64}$)[A-Za-z0-9_.-]+(?:\[[A-Za-z0-9_.-]*\])+$/;

/** Names go into JSON and forms as they are. */
export const parameterName = /^(?!__proto__$)[A-Za-z0-9_.-]{1,64}$/;

/** Throws for a parameter that the gateway does not know, and cannot pass on. */
function checkExtra(name: string, value: unknown): void {
  if (parameterName.test(name)) {
    if (!isDeeperThan(value, deepestExtra)) return;
    throw new GatewayError('invalid_value', `'${name}' is nested too deeply.`, { param: name });
  }
  if (bracketedName.test(name)) {
    const message = `'${name}' is not supported: members of a parameter cannot be sent on in this form.`;
    throw new GatewayError('unsupported_parameter', message, { param: name });
  }
  throw new GatewayError(
    'invalid_value',
    'The name of a parameter is too long, or holds other characters than names do.',
  );
}

/** No parameter of an Images API comes near; without a limit, writing it for the upstream could exhaust the stack. */
const deepestExtra = 32;

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(member, levels - 1));
}

function invalidParameter(error: z.ZodError, given: Record<string, unknown>): GatewayError {
  const [issue] = error.issues;
  const param = String(issue?.path[0] ?? '');
  if (given[param] === undefined) {
    return new GatewayError('missing_required_parameter', `'${param}' is missing.`, { param });
  }
  return new GatewayError('invalid_value', `'${param}' ${issue?.message ?? 'is not valid'}.`, { param });
}
