import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type { Job } from '../../../domain/job-store.ts';
import { imagesOnly, type Jobs } from '../../../generations/jobs.ts';
import type { ErrorForm } from '../../error-response.ts';
import { ignoreBodies } from '../../request-body.ts';
import { modelOf } from '../../request-path.ts';
import { sendGeneration } from '../../send-body.ts';
import {
  type Current,
  handleGeneration,
  type ImageCall,
  type RuntimeConfig,
  refuseWithoutJobs,
  withoutJobs,
} from '../../surface.ts';
import { refuseOtherMethods } from '../../unserved-routes.ts';
import { absolute, notCached } from '../jobs/write-job.ts';
import { parseGeneration } from '../openai-images/parse-parameters.ts';
import { azureErrorBody, operationBody, operationStatus, succeededOperation } from './operation-body.ts';

/** With and without the prefix for clients that cannot name a model. */
export const operationRoots = ['/openai', '/m/:model/openai'];

/** Two colons, because one would begin a parameter. */
export const submitPath = '/images/generations::submit';
export const operationPath = '/operations/images/:id';

/** Azure's clients poll every 2 to 10 s, unless a response says when. */
const retryAfter = { 'retry-after': '1' };

/** `POST …/images/generations:submit`: Azure's first API for images. Any model may be behind it. */
export function submitRoute(app: FastifyInstance, current: Current): void {
  const write = () => Promise.reject(new Error('these requests start jobs only'));
  const writeJob = async (job: Job, reply: FastifyReply, _asked: unknown, config: RuntimeConfig) => {
    const id = operationIdIn(reply.request) ?? job.id;
    reply.headers({ ...notCached, ...retryAfter, 'operation-location': locationOf(id, reply.request, config) });
    await reply.code(202).send({ id, status: operationStatus(job) });
  };
  const handler = handleGeneration({ parse: parseSubmit, write, writeJob }, current);
  for (const root of operationRoots) {
    app.post(`${root}${submitPath}`, async function (request, reply) {
      try {
        await handler.call(this, request, reply);
      } catch (error) {
        throw operationIdIn(request) === undefined ? error : aboutOperationId(error);
      }
      return reply;
    });
    refuseOtherMethods(app, `${root}${submitPath}`, ['POST']);
  }
}

/** `GET` and `DELETE` of an operation. */
export function operationRoutes(app: FastifyInstance, current: Current): void {
  ignoreBodies(app);
  refuseWithoutJobs(app, current);
  for (const url of operationRoots.map((root) => `${root}${operationPath}`)) {
    app.get<ById>(url, async (request, reply) => {
      const { jobs } = current.config.gateway;
      await writeOperation(await findOperation(request, jobs), reply.headers(notCached), jobs);
      return reply;
    });
    app.delete<ById>(url, async (request, reply) => {
      const { jobs } = current.config.gateway;
      const { id } = await findOperation(request, jobs);
      await jobs.remove(request.consumerId, id);
      return reply.code(204).send();
    });
    refuseOtherMethods(app, url, ['GET', 'HEAD', 'DELETE']);
  }
}

type ById = { Params: { id: string } };

function parseSubmit(request: FastifyRequest, { gateway, address }: RuntimeConfig): ImageCall {
  if (!gateway.jobs.areDurable) throw withoutJobs();
  if (address.url === undefined) throw withoutAddress();
  const call = parseGeneration(request);
  if (call.request.stream) {
    throw new GatewayError(
      'unsupported_parameter',
      "'stream' is not supported here: images are fetched when they are made.",
      {
        param: 'stream',
      },
    );
  }
  const id = operationIdIn(request);
  return {
    ...call,
    request: { ...call.request, delivery: call.request.delivery ?? 'url' },
    startsJob: true,
    keeping: { isBackground: true, isRetrievable: true },
    idempotencyKey: id === undefined ? keyOfRetry(request) : keyOf(id),
  };
}

const guid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** The operation's id where its client has drawn it. Throws `invalid_value` for one that is no GUID. */
function operationIdIn({ headers: { 'operation-id': id } }: FastifyRequest): string | undefined {
  if (id === undefined) return undefined;
  if (typeof id === 'string' && guid.test(id)) return id.toLowerCase();
  throw new GatewayError('invalid_value', "The header 'Operation-Id' must be a GUID.", { param: 'Operation-Id' });
}

/** The same request with the same `Operation-Id` is the same operation. */
function keyOf(operationId: string): string {
  return `operation-id ${operationId}`;
}

/**
 * Azure's SDKs name each request, and give its retries the same name. Other clients may give all their requests one, so that a
 * request is known by its body, too.
 * https://github.com/Azure/azure-sdk-for-js/blob/main/sdk/core/core-rest-pipeline/src/policies/setClientRequestIdPolicy.ts
 */
function keyOfRetry(request: FastifyRequest): string | undefined {
  const { 'x-ms-client-request-id': id } = request.headers;
  if (typeof id !== 'string' || !guid.test(id)) return undefined;
  const submitted = JSON.stringify([modelOf(request, undefined), request.body]);
  return `client-request-id ${id.toLowerCase()} ${hash('sha256', submitted, 'base64url')}`;
}

function findOperation({ consumerId, params: { id } }: FastifyRequest<ById>, jobs: Jobs): Promise<Job> {
  return guid.test(id)
    ? jobs.findByKey(consumerId, 'generate', keyOf(id.toLowerCase()))
    : jobs.retrieve(consumerId, id);
}

/** What was called, and where the operation is: the prefix and the version stay. */
function locationOf(id: string, { params, query }: FastifyRequest, config: RuntimeConfig): string {
  const { model } = params as { model?: string };
  const { 'api-version': version } = query as { 'api-version'?: unknown };
  const prefix = model === undefined ? '' : `/m/${encodeURIComponent(model)}`;
  const search = typeof version === 'string' ? `?api-version=${encodeURIComponent(version)}` : '';
  return absolute(`${prefix}/openai/operations/images/${id}${search}`, config);
}

async function writeOperation(job: Job, reply: FastifyReply, jobs: Jobs): Promise<void> {
  const { record, params } = reply.request as FastifyRequest<ById>;
  if (job.end === undefined) reply.headers(retryAfter);
  if (job.end?.name !== 'done') return void reply.send(operationBody(params.id, job));
  const reader = jobs.read(job, { request: imagesOnly, delivery: undefined });
  try {
    const events = await reader.events;
    reply.type('application/json');
    const text = succeededOperation(params.id, job, events, record);
    await sendGeneration(reader, reply, text);
  } catch (error) {
    // Clients poll on when the status says nothing: the operation has ended, and its result is gone.
    if (!(error instanceof GatewayError) || error.kind !== 'idempotency_result_gone') throw error;
    reply.send(operationBody(params.id, job, error));
  }
}

function withoutAddress(): GatewayError {
  const message =
    'Operations are not offered here: the gateway does not know under which address it is reached. Its operator can set PUBLIC_BASE_URL.';
  return new GatewayError('unsupported_endpoint', message);
}

/** Errors of these routes have Azure's form. */
export const azureErrors: ErrorForm = (error) => {
  const body = azureErrorBody(error);
  return { body, headers: { 'x-ms-error-code': String(body.error.code) } };
};

/** An id is the key of its request; Azure responds with 400 where that is another one. */
function aboutOperationId(error: unknown): unknown {
  if (!(error instanceof GatewayError) || error.kind !== 'idempotency_key_reused') return error;
  const message = 'This Operation-Id was used for a different request. Draw a new one for each request.';
  return new GatewayError('invalid_value', message, { param: 'Operation-Id' });
}
