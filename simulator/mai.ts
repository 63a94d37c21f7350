import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { deploymentNotFound, type PlainResponse } from './azure-errors.ts';
import { type Family, familyOf } from './families.ts';
import { createFormHooks } from './form-hooks.ts';
import type { JobPlace } from './image-job.ts';
import { apiVersionOf, objectBody, type RequestBody } from './incoming-request.ts';
import { type ImageFacts, sourceImageOf } from './inspect-image.ts';
import { asMaiResponse, unsupportedValue } from './mai-errors.ts';
import { formBody, formOptions, type ReceivedFile, type ReceivedForm } from './receive-form.ts';
import { countReceived, requireKey, type SimulatorState } from './request-hooks.ts';
import { planJob, respondToJob } from './run-job.ts';
import { sendPlain } from './send-response.ts';

// MAI-Image: https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-mai, and what its users report.

/** A checked call: what is to be drawn, and where it came in. */
type MaiCall = { readonly body: RequestBody; readonly place: JobPlace };

/** Adds generations and edits. */
export function addMai(app: FastifyInstance, state: SimulatorState): void {
  const hooks = { onRequest: requireKey(state), preHandler: countReceived(state) };
  const respond = async (call: MaiCall | PlainResponse, request: FastifyRequest, reply: FastifyReply) => {
    const job = 'status' in call ? call : planJob(call.body, call.place);
    if ('status' in job) return sendPlain(reply, job);
    return respondToJob(job, String(apiVersionOf(request) ?? 'preview'), state, request, reply);
  };
  app.post('/mai/v1/images/generations', hooks, (request, reply) =>
    respond(readGeneration(objectBody(request)), request, reply),
  );
  app.register(async (scope) => {
    await scope.register(multipart, formOptions);
    const { requireForm, readForm, formOf } = createFormHooks();
    const formHooks = { ...hooks, onRequest: [requireKey(state), requireForm], preValidation: readForm };
    scope.post('/mai/v1/images/edits', formHooks, async (request, reply) =>
      respond(await readEdit(formOf(request)), request, reply),
    );
  });
}

function placeOf({ model }: RequestBody): JobPlace | PlainResponse {
  const family = typeof model === 'string' ? familyOf(model) : undefined;
  if (family?.kind !== 'mai') return deploymentNotFound();
  return { flow: 'mai', family, deployment: String(model) };
}

const isNewest = ({ name }: Family) => name.startsWith('MAI-Image-2.6');

/** It ignores `size` and `n` without a word: whoever sends them gets one image of 1024². */
const ignored = ['size', 'n'];

function readGeneration(body: RequestBody): MaiCall | PlainResponse {
  const place = placeOf(body);
  if ('status' in place) return place;
  const { model: _, prompt, width = 1024, height = 1024, ...others } = body;
  const flags = isNewest(place.family) ? ['auto_aspect_ratio', 'web_grounding'] : [];
  for (const [name, value] of Object.entries(others)) {
    if (ignored.includes(name)) continue;
    if (!flags.includes(name)) return unsupportedValue(`'${name}' is not supported.`);
    if (typeof value !== 'boolean') return unsupportedValue(`'${name}' must be a boolean.`);
  }
  const problem = promptProblem(prompt, place.family) ?? edgeProblem(width, height, place.family);
  if (problem !== undefined) return unsupportedValue(problem);
  return { body: { prompt, size: `${width}x${height}` }, place };
}

function promptProblem(prompt: unknown, { maximumPromptLength }: Family): string | undefined {
  const isGood = typeof prompt === 'string' && prompt !== '' && prompt.length <= maximumPromptLength;
  return isGood ? undefined : `'prompt' must be a text of 1 to ${maximumPromptLength} characters.`;
}

const [shortest, longest] = [768, 1536];
const grid = 16;

function edgeProblem(width: unknown, height: unknown, family: Family): string | undefined {
  for (const [name, edge] of Object.entries({ width, height })) {
    if (typeof edge !== 'number' || !Number.isInteger(edge)) return `'${name}' must be an integer.`;
    if (edge < shortest) return `'${name}' must be at least ${shortest} pixels.`;
    if (edge % grid !== 0) return `'${name}' must be a multiple of ${grid} pixels.`;
    if (isNewest(family) && edge > longest) return `'${name}' must be at most ${longest} pixels.`;
  }
  const isTooLarge = !isNewest(family) && Number(width) * Number(height) > 1024 * 1024;
  return isTooLarge ? "'width' times 'height' must be at most 1048576." : undefined;
}

async function readEdit(form: ReceivedForm | undefined): Promise<MaiCall | PlainResponse> {
  const fields = form === undefined ? { body: {} } : formBody(form);
  if ('status' in fields) return asMaiResponse(fields);
  const place = placeOf(fields.body);
  if ('status' in place) return place;
  const { model: _, prompt, ...others } = fields.body;
  // Width and height are refused here: the image has the shape of the first input.
  const [other] = Object.keys(others);
  if (other !== undefined) return unsupportedValue(`'${other}' is not supported for edits.`);
  const images = form?.files ?? [];
  const problem = promptProblem(prompt, place.family) ?? imagesProblem(images, place.family);
  if (problem !== undefined) return unsupportedValue(problem);
  const [first] = images as [ReceivedFile];
  const edited = { source: await sourceImageOf(first), inputs: images.length };
  return { body: { prompt, size: sizeLike(first.facts) }, place: { ...place, edited } };
}

const imageParts = ['image', 'image[]'];
const imageFormats = ['image/jpeg', 'image/png'];

function imagesProblem(files: readonly ReceivedFile[], { edits }: Family): string | undefined {
  const other = files.find(({ part }) => !imageParts.includes(part));
  if (other !== undefined) return `'${other.part}' is not supported for edits.`;
  const max = edits?.maximumInputs ?? 0;
  if (files.length === 0 || files.length > max) return `'image' must be there once to ${max} times.`;
  const isBad = ({ contentType, facts }: ReceivedFile) =>
    !imageFormats.includes(contentType) || facts.mediaType !== contentType || facts.isBroken;
  return files.some(isBad) ? "'image' must be an image in JPEG or PNG format." : undefined;
}

/** The nearest size on the grid; that of an image too large to be looked at is not known. */
function sizeLike({ outline }: ImageFacts): string {
  const { width, height } = outline ?? { width: 1024, height: 1024 };
  const edge = (pixels: number) => Math.min(longest, Math.max(shortest, Math.round(pixels / grid) * grid));
  return `${edge(width)}x${edge(height)}`;
}
