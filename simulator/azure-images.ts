import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { operationNotSupported, type PlainResponse, resourceNotFound } from './azure-errors.ts';
import { checkFiles } from './check-files.ts';
import { type Family, knowsEdits, servesApiVersion } from './families.ts';
import { createFormHooks } from './form-hooks.ts';
import type { ImageJob } from './image-job.ts';
import {
  type AddressedCall,
  addressDeployment,
  addressV1,
  apiVersionOf,
  objectBody,
  type RequestBody,
} from './incoming-request.ts';
import { sourceImageOf } from './inspect-image.ts';
import { fileRoleOf, formBody, formOptions, type ReceivedFile, type ReceivedForm } from './receive-form.ts';
import { countReceived, requireKey, type SimulatorState } from './request-hooks.ts';
import { readJob, respondToJob } from './run-job.ts';
import { sendPlain } from './send-response.ts';

/** Adds generations in the two synchronous dialects: the deployments path and the v1 path. */
export function addAzureImages(app: FastifyInstance, state: SimulatorState): void {
  const hooks = { onRequest: requireKey(state), preHandler: countReceived(state) };
  app.post<{ Params: { deployment: string } }>(
    '/openai/deployments/:deployment/images/generations',
    hooks,
    (request, reply) =>
      generate(addressDeployment(request.params.deployment, request, objectBody(request)), request, reply, state),
  );
  app.post('/openai/v1/images/generations', hooks, (request, reply) =>
    generate(addressV1(request, objectBody(request)), request, reply, state),
  );
}

async function generate(
  call: AddressedCall | PlainResponse,
  request: FastifyRequest,
  reply: FastifyReply,
  state: SimulatorState,
) {
  if ('status' in call) return sendPlain(reply, call);
  const { family, apiVersion, body } = call;
  if (hasOwnPath(family)) return sendPlain(reply, resourceNotFound());
  // dall-e-2 exists in the legacy flow only, FLUX on the deployments path only.
  const isElsewhere = family.kind === 'dall-e-2' || (family.kind === 'flux' && call.flow === 'azure-v1');
  if (isElsewhere) return sendPlain(reply, operationNotSupported('generation', family.name));
  // Under a version that does not know the family there is no such resource.
  if (!servesApiVersion(family, apiVersion)) return sendPlain(reply, resourceNotFound());
  const job = readJob(body, call);
  return 'status' in job ? sendPlain(reply, job) : respondToJob(job, apiVersion, state, request, reply);
}

/** MAI-Image and FLUX.2 have paths of their own, and none of these. */
function hasOwnPath({ kind }: Family): boolean {
  return kind === 'mai' || kind === 'flux-2';
}

type Address = (body: RequestBody) => AddressedCall | PlainResponse;

/** Adds edits on the deployments path and on the v1 path. */
export function addAzureEdits(app: FastifyInstance, state: SimulatorState): void {
  // A scope of its own: forms are read by these two paths and refused by every other one.
  app.register(async (scope) => {
    await scope.register(multipart, formOptions);
    addRoutes(scope, state);
  });
}

function addRoutes(scope: FastifyInstance, state: SimulatorState): void {
  const { requireForm, readForm, formOf } = createFormHooks();
  const edit = (request: FastifyRequest, reply: FastifyReply, address: Address) =>
    respondToEdit(formOf(request), request, reply, { address, state });
  // Edits are multipart only.
  const hooks = {
    onRequest: [requireKey(state), requireForm],
    preValidation: readForm,
    preHandler: countReceived(state),
  };
  scope.post<{ Params: { deployment: string } }>(
    '/openai/deployments/:deployment/images/edits',
    { ...hooks, onRequest: [requireKey(state), requireEdits, requireForm] },
    (request, reply) => edit(request, reply, (body) => addressDeployment(request.params.deployment, request, body)),
  );
  scope.post('/openai/v1/images/edits', hooks, (request, reply) =>
    edit(request, reply, (body) => addressV1(request, body)),
  );
}

// Other versions do not have this path at all.
async function requireEdits(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  return knowsEdits(String(apiVersionOf(request))) ? undefined : sendPlain(reply, resourceNotFound());
}

async function respondToEdit(
  form: ReceivedForm | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
  { address, state }: { readonly address: Address; readonly state: SimulatorState },
) {
  const call = addressForm(form, address);
  if ('status' in call) return sendPlain(reply, call);
  const job = await readEdit(call, form?.files ?? []);
  return 'status' in job ? sendPlain(reply, job) : respondToJob(job, call.apiVersion, state, request, reply);
}

function addressForm(form: ReceivedForm | undefined, address: Address): AddressedCall | PlainResponse {
  const fields = form === undefined ? { body: {} } : formBody(form);
  return 'status' in fields ? fields : address(fields.body);
}

/** Checks files and fields of an edit: a job to do, or the refusal. */
async function readEdit(call: AddressedCall, files: readonly ReceivedFile[]): Promise<ImageJob | PlainResponse> {
  const { family } = call;
  if (hasOwnPath(family)) return resourceNotFound();
  // The dall-e families of Azure do not edit, and FLUX is documented on the deployments path only.
  const isElsewhere = family.kind === 'flux' && call.flow === 'azure-v1';
  if (family.edits === undefined || isElsewhere) return operationNotSupported('edit', family.name);
  const refused = checkFiles(files, family.edits);
  if (refused !== undefined) return refused;
  const images = files.filter(({ part }) => fileRoleOf(part) === 'image');
  const [first] = images;
  const edited = first && { source: await sourceImageOf(first), inputs: images.length };
  return readJob(call.body, { ...call, ...(edited && { edited }) });
}
