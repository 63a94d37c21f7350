import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { missingParameter, type PlainResponse, refusal, resourceNotFound } from './azure-errors.ts';
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
import { decodeReferences, type FluxBody, readReferences, referenceNames } from './flux-references.ts';
import type { ImageJob } from './image-job.ts';
import { apiVersionOf, objectBody, type RequestBody } from './incoming-request.ts';
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
  const bodies = new WeakMap<FastifyRequest, FluxBody>();
  const hooks = {
    onRequest: requireKey(state),
    // The ledger takes the body from the request, and no megabytes of base64 with it.
    preValidation: async (request: FastifyRequest) => {
      const body = await decodeReferences(objectBody(request));
      bodies.set(request, body);
      request.body = body.members;
    },
    preHandler: countReceived(state),
    bodyLimit: largestBody,
  };
  app.post<{ Params: { path: string } }>('/providers/blackforestlabs/v1/:path', hooks, (request, reply) =>
    respond(bodies.get(request) as FluxBody, request, reply, state),
  );
}

type FluxRequest = FastifyRequest<{ Params: { path: string } }>;

async function respond(body: FluxBody, request: FluxRequest, reply: FastifyReply, state: SimulatorState) {
  const apiVersion = apiVersionOf(request);
  const family = familyOf(String(body.members.model));
  const isServed = family !== undefined && family.name === families[request.params.path];
  if (!isServed || typeof apiVersion !== 'string') return sendPlain(reply, resourceNotFound());
  const job = await readJob(body, family);
  return 'status' in job ? sendPlain(reply, job) : respondToJob(job, apiVersion, state, request, reply);
}

async function readJob(body: FluxBody, family: Family): Promise<ImageJob | PlainResponse> {
  const { model, ...members } = body.members;
  if (members.prompt === undefined) return missingParameter('prompt');
  const refused = checkMembers(members, rulesOf(family));
  if (refused !== undefined) return refused;
  const [width, height] = edgesOf(members);
  if (width * height > mostPixels) return refusal('The image has more than 4 megapixels.', 'width', 'invalid_value');
  const edit = await readReferences(body, maxReferencesOf(family));
  if ('status' in edit) return edit;
  const { prompt, num_images: n, output_format = 'jpeg' } = members;
  const place = { flow: 'flux', family, deployment: String(model), ...edit } as const;
  return planJob({ prompt, n, size: `${width}x${height}`, output_format }, place);
}

/** The edges in pixels, where `width` and `height` overrule the ratio; what happens with both is not documented. */
function edgesOf({ aspect_ratio: ratio, width, height }: RequestBody): readonly [width: number, height: number] {
  const hasEdges = width !== undefined || height !== undefined;
  const [wide, high] = partsOf(hasEdges ? '1:1' : String(ratio ?? '1:1'));
  // One megapixel, on the grid that other models have.
  const edge = (share: number) => 16 * Math.round((1024 * Math.sqrt(share)) / 16);
  return [Number(width ?? edge(wide / high)), Number(height ?? edge(high / wide))];
}

function partsOf(ratio: string): readonly [wide: number, high: number] {
  const [wide, high] = ratio.split(':').map(Number);
  return [wide ?? Number.NaN, high ?? Number.NaN];
}

function maxReferencesOf({ name, edits }: Family): number {
  // The image API takes edits of it, this one none.
  return name === 'FLUX-1.1-pro' ? 0 : (edits?.maximumInputs ?? 0);
}

const mostPixels = 4 * 1024 * 1024;

// As far as the documents of its maker go: https://docs.bfl.ai
const widest = 21 / 9;
const ratio: Rule = (value) => {
  const [wide, high] = typeof value === 'string' && /^[1-9]\d{0,2}:[1-9]\d{0,2}$/.test(value) ? partsOf(value) : [0, 1];
  const isGood = wide <= widest * high && high <= widest * wide;
  return isGood ? undefined : 'must be a ratio such as 16:9, from 21:9 to 9:21';
};
// Its value is checked elsewhere.
const anything: Rule = () => undefined;

/** What a model takes beside its own name. `size`, `n`, `quality` and the like are unknown to all of them. */
function rulesOf(family: Family): Rules {
  const { name, kind, maximumCount, maximumPromptLength } = family;
  return {
    prompt: textWithin(1, maximumPromptLength),
    width: integerWithin(64, 4096),
    height: integerWithin(64, 4096),
    output_format: oneOf('png', 'jpeg'),
    seed: integerWithin(0, Number.MAX_SAFE_INTEGER),
    aspect_ratio: ratio,
    safety_tolerance: integerWithin(0, 6),
    ...(kind === 'flux-2' && { num_images: integerWithin(1, maximumCount) }),
    ...(name === 'FLUX.2-flex' && { guidance: numberWithin(1.5, 10), steps: integerWithin(1, 50) }),
    ...Object.fromEntries(referenceNames(maxReferencesOf(family)).map((reference) => [reference, anything])),
  };
}
