import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { deploymentNotFound, invalidFile, type PlainResponse } from './azure-errors.ts';
import { checkFiles } from './check-files.ts';
import { type Family, familyOf } from './families.ts';
import type { JobPlace } from './image-job.ts';
import { apiVersionOf, objectBody, type RequestBody } from './incoming-request.ts';
import { type ImageFacts, sourceImageOf } from './inspect-image.ts';
import { fileRoleOf, formBody, formOptions, type ReceivedFile, receiveForm } from './receive-form.ts';
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
    scope.post('/mai/v1/images/edits', hooks, async (request, reply) => {
      const form = await receiveForm(request);
      // The ledger takes it from the request.
      request.body = form.record;
      const fields = formBody(form);
      return respond('status' in fields ? fields : await readEdit(fields.body, form.files), request, reply);
    });
  });
}

/** The wording for every value that it does not take. */
function refused(message: string): PlainResponse {
  const error = {
    code: 'unsupported_request_value',
    message: `The request is not valid: ${message}`,
    details: message,
  };
  return { status: 400, body: { error } };
}

function placeOf({ model }: RequestBody): JobPlace | PlainResponse {
  const family = typeof model === 'string' ? familyOf(model) : undefined;
  if (family?.kind !== 'mai') return deploymentNotFound();
  return { flow: 'mai', family, deployment: String(model) };
}

const isNewest = ({ name }: Family) => name === 'MAI-Image-2.6';

/** It ignores `size` and `n` without a word: whoever sends them gets one image of 1024². */
const ignored = ['size', 'n'];

function readGeneration(body: RequestBody): MaiCall | PlainResponse {
  const place = placeOf(body);
  if ('status' in place) return place;
  const { model: _, prompt, width = 1024, height = 1024, ...others } = body;
  const flags = isNewest(place.family) ? ['auto_aspect_ratio', 'web_grounding'] : [];
  for (const [name, value] of Object.entries(others)) {
    if (ignored.includes(name)) continue;
    if (!flags.includes(name)) return refused(`'${name}' is not supported.`);
    if (typeof value !== 'boolean') return refused(`'${name}' must be a boolean.`);
  }
  const problem = promptProblem(prompt, place.family) ?? edgeProblem(width, height, place.family);
  if (problem !== undefined) return refused(problem);
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

async function readEdit(body: RequestBody, files: readonly ReceivedFile[]): Promise<MaiCall | PlainResponse> {
  const place = placeOf(body);
  if ('status' in place) return place;
  const { model: _, prompt, ...others } = body;
  // Width and height are refused here: the image is as large as its input.
  const [other] = Object.keys(others);
  if (other !== undefined) return refused(`'${other}' is not supported for edits.`);
  const problem = promptProblem(prompt, place.family);
  if (problem !== undefined) return refused(problem);
  const refusal = place.family.edits && checkFiles(files, place.family.edits);
  if (refusal) return refusal;
  const images = files.filter(({ part }) => fileRoleOf(part) === 'image');
  const isOther = ({ facts }: ReceivedFile) => facts.mediaType !== 'image/png' && facts.mediaType !== 'image/jpeg';
  if (images.some(isOther)) return invalidFile('image', 'it must be image/jpeg or image/png');
  const [first] = images as [ReceivedFile];
  const edited = { source: await sourceImageOf(first), inputs: images.length };
  return { body: { prompt, size: sizeLike(first.facts) }, place: { ...place, edited } };
}

/** The nearest size on the grid; that of an image too large to be looked at is not known. */
function sizeLike({ outline }: ImageFacts): string {
  const { width, height } = outline ?? { width: 1024, height: 1024 };
  const edge = (pixels: number) => Math.min(longest, Math.max(shortest, Math.round(pixels / grid) * grid));
  return `${edge(width)}x${edge(height)}`;
}
