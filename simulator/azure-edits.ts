import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readJob } from './accept-job.ts';
import { type AddressedCall, addressDeployment, addressV1, apiVersionOf } from './address-call.ts';
import { answerJob } from './answer-job.ts';
import { operationNotSupported, type PlainAnswer, resourceNotFound, unsupportedContentType } from './azure-errors.ts';
import { requireKey } from './check-credentials.ts';
import { checkFiles } from './check-files.ts';
import { knowsEdits } from './families.ts';
import { fileRoleOf } from './file-parts.ts';
import { formBody } from './form-body.ts';
import type { ImageJob } from './image-job.ts';
import { formOptions, type ReceivedFile, type ReceivedForm, receiveForm } from './receive-form.ts';
import type { RequestBody } from './request-body.ts';
import { sendPlain } from './send-answer.ts';
import { countReceived, type SimulatedWorld } from './simulated-world.ts';
import { sourceImageOf } from './source-image.ts';

type Address = (body: RequestBody) => AddressedCall | PlainAnswer;

/** Adds edits on the deployments path (CONTRACTS §3.2) and on the v1 path (§3.3). */
export function addAzureEdits(app: FastifyInstance, world: SimulatedWorld): void {
  // A scope of its own: forms are read by these two paths and refused by every other one.
  app.register(async (scope) => {
    await scope.register(multipart, formOptions);
    addRoutes(scope, world);
  });
}

function addRoutes(scope: FastifyInstance, world: SimulatedWorld): void {
  const forms = new WeakMap<FastifyRequest, ReceivedForm>();
  const edit = (request: FastifyRequest, reply: FastifyReply, address: Address) =>
    answerEdit(forms.get(request), request, reply, { address, world });
  const hooks = {
    onRequest: [requireKey(world), requireForm],
    // As early as a JSON body would be there: the ledger takes it from the request.
    preValidation: async (request: FastifyRequest) => {
      const form = await receiveForm(request);
      forms.set(request, form);
      request.body = form.record;
    },
    preHandler: countReceived(world),
  };
  scope.post<{ Params: { deployment: string } }>(
    '/openai/deployments/:deployment/images/edits',
    { ...hooks, onRequest: [requireKey(world), requireEdits, requireForm] },
    (request, reply) => edit(request, reply, (body) => addressDeployment(request.params.deployment, request, body)),
  );
  scope.post('/openai/v1/images/edits', hooks, (request, reply) =>
    edit(request, reply, (body) => addressV1(request, body)),
  );
}

// CONTRACTS §3.2, version table and errors, line 9: other versions do not have this path at all.
async function requireEdits(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  return knowsEdits(String(apiVersionOf(request))) ? undefined : sendPlain(reply, resourceNotFound());
}

// CONTRACTS §3.2: edits are multipart only.
async function requireForm(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1);
  const isForm = type.trim().toLowerCase() === 'multipart/form-data';
  return isForm ? undefined : sendPlain(reply, unsupportedContentType(type.trim(), 'multipart/form-data'));
}

async function answerEdit(
  form: ReceivedForm | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
  { address, world }: { readonly address: Address; readonly world: SimulatedWorld },
) {
  const call = addressForm(form, address);
  if ('status' in call) return sendPlain(reply, call);
  const job = await readEdit(call, form?.files ?? []);
  return 'status' in job ? sendPlain(reply, job) : answerJob(job, call.apiVersion, world, request, reply);
}

function addressForm(form: ReceivedForm | undefined, address: Address): AddressedCall | PlainAnswer {
  const fields = form === undefined ? { body: {} } : formBody(form);
  return 'status' in fields ? fields : address(fields.body);
}

/** Checks files and fields of an edit: a job to do, or the refusal. */
async function readEdit(call: AddressedCall, files: readonly ReceivedFile[]): Promise<ImageJob | PlainAnswer> {
  const { family } = call;
  // CONTRACTS §4: the dall-e families of Azure do not edit; §3.6: FLUX is documented on the deployments path only.
  const isElsewhere = family.kind === 'flux' && call.flow === 'azure-v1';
  if (family.edits === undefined || isElsewhere) return operationNotSupported('edit', family.name);
  const refused = checkFiles(files, family.edits);
  if (refused !== undefined) return refused;
  const images = files.filter(({ part }) => fileRoleOf(part) === 'image');
  const [first] = images;
  const edited = first && { source: await sourceImageOf(first), inputs: images.length };
  return readJob(call.body, { ...call, ...(edited && { edited }) });
}
