import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { invalidFile, missingParameter, type PlainResponse, refusal, resourceNotFound } from './azure-errors.ts';
import {
  checkMembers,
  integerWithin,
  numberWithin,
  oneOf,
  type Rule,
  type Rules,
  textWithin,
} from './check-parameters.ts';
import { type Family, familyOf } from './families.ts';
import type { JobPlace } from './image-job.ts';
import { apiVersionOf, objectBody, type RequestBody } from './incoming-request.ts';
import { inspectImage, sourceImageOf } from './inspect-image.ts';
import { countReceived, requireKey, type SimulatorState } from './request-hooks.ts';
import { planJob, respondToJob } from './run-job.ts';
import { sendPlain } from './send-response.ts';

// The API of FLUX's maker at a resource: https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-flux

/** The beginning of the names of the deployments that each path serves. */
const families: Readonly<Record<string, string>> = {
  'flux-2-pro': 'FLUX.2-pro',
  'flux-2-flex': 'FLUX.2-flex',
  'flux-kontext-pro': 'FLUX.1-Kontext-pro',
  'flux-pro-1.1': 'FLUX-1.1-pro',
};

const largestBody = 256 * 1024 * 1024;

/** Adds the one path of each model, for generations and edits. */
export function addFlux(app: FastifyInstance, state: SimulatorState): void {
  const hooks = { onRequest: requireKey(state), preHandler: countReceived(state), bodyLimit: largestBody };
  app.post<{ Params: { path: string } }>('/providers/blackforestlabs/v1/:path', hooks, (request, reply) =>
    respond(request, reply, state),
  );
}

type FluxRequest = FastifyRequest<{ Params: { path: string } }>;

async function respond(request: FluxRequest, reply: FastifyReply, state: SimulatorState) {
  const body = objectBody(request);
  const apiVersion = apiVersionOf(request);
  const family = familyOf(String(body.model));
  const isServed = family !== undefined && family.name === families[request.params.path];
  if (!isServed || typeof apiVersion !== 'string') return sendPlain(reply, resourceNotFound());
  const place = await readPlace(body, family);
  if ('status' in place) return sendPlain(reply, place);
  const { prompt, width = 1024, height = 1024, num_images: n, output_format = 'jpeg' } = body;
  const job = planJob({ prompt, n, size: `${width}x${height}`, output_format }, place);
  return 'status' in job ? sendPlain(reply, job) : respondToJob(job, apiVersion, state, request, reply);
}

async function readPlace(body: RequestBody, family: Family): Promise<JobPlace | PlainResponse> {
  const { model, ...members } = body;
  if (members.prompt === undefined) return missingParameter('prompt');
  const refused = checkMembers(members, rulesOf(family));
  if (refused !== undefined) return refused;
  const { width = 1024, height = 1024 } = members as { width?: number; height?: number };
  if (width * height > mostPixels) return refusal('The image has more than 4 megapixels.', 'width', 'invalid_value');
  const place: JobPlace = { flow: 'flux', family, deployment: String(model) };
  const inputs = Object.entries(members).filter(([name]) => name.startsWith('input_image'));
  const [first] = await Promise.all(inputs.map(([name, text]) => readInput(name, String(text))));
  if (first === undefined) return place;
  return 'status' in first ? first : { ...place, edited: { source: first, inputs: inputs.length } };
}

async function readInput(name: string, text: string) {
  const bytes = Buffer.from(text, 'base64');
  // A data URL has characters that base64 has not.
  if (bytes.length === 0 || Math.ceil(bytes.length / 3) * 4 !== text.length)
    return invalidFile(name, 'it is not base64');
  const facts = await inspectImage(bytes, true);
  if (facts.isBroken) return invalidFile(name, 'it cannot be decoded');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return sourceImageOf({ part: name, filename: undefined, contentType: '', bytes: bytes.length, sha256, facts });
}

const mostPixels = 4 * 1024 * 1024;
const ratio: Rule = (value) =>
  typeof value === 'string' && /^\d{1,3}:\d{1,3}$/.test(value) ? undefined : 'must be a ratio such as 16:9';

/** What a model takes beside its own name. `size`, `n`, `quality` and the like are unknown to all of them. */
function rulesOf({ name, kind, edits, maximumPromptLength }: Family): Rules {
  const inputs = name === 'FLUX-1.1-pro' ? 0 : (edits?.maximumInputs ?? 0);
  const images = Array.from({ length: inputs }, (_, index) =>
    index === 0 ? 'input_image' : `input_image_${index + 1}`,
  );
  return {
    prompt: textWithin(1, maximumPromptLength),
    width: integerWithin(64, 4096),
    height: integerWithin(64, 4096),
    output_format: oneOf('png', 'jpeg'),
    seed: integerWithin(0, Number.MAX_SAFE_INTEGER),
    aspect_ratio: ratio,
    safety_tolerance: integerWithin(0, 6),
    ...(kind === 'flux-2' && { num_images: integerWithin(1, 10) }),
    ...(name === 'FLUX.2-flex' && { guidance: numberWithin(1.5, 10), steps: integerWithin(1, 50) }),
    ...Object.fromEntries(images.map((input) => [input, textWithin(1, Number.POSITIVE_INFINITY)])),
  };
}
