import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, KeyedAs } from '../domain/generation-reader.ts';
import type { ImageDownload } from '../domain/image-download.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { Job } from '../domain/job-store.ts';
import type { PassThrough } from '../domain/pass-through.ts';
import type { Caller, JobKeeping } from '../generations/caller.ts';
import type { Gateway } from '../generations/gateway.ts';
import { budgetHeader, callerOf, rateLimitHeaders, shownJobId } from './gateway-headers.ts';
import { modelOf } from './request-path.ts';
import type { UploadLimits } from './uploads/watch-upload.ts';

/** What the models file decides about requests. A reload replaces it as a whole; requests that have begun keep theirs. */
export type RuntimeConfig = {
  readonly gateway: Gateway;
  readonly uploadLimits: UploadLimits;
  /** Fetches images that clients give as links; `undefined`: none are fetched. */
  readonly inputDownload: ImageDownload | undefined;
  /** Forwards requests of the Responses API; `undefined`: none are forwarded. */
  readonly passThrough: PassThrough | undefined;
  /** The currency of costs in headers. */
  readonly currency: string;
  /** Under which clients reach the gateway, if that is known: never what the headers of a request say. */
  readonly address: { readonly url: string | undefined };
};

/** The runtime config that is in force: another one after a reload. */
export type Current = { readonly config: RuntimeConfig };

/** A request for images: the logical model, if its parameters name one, and what it asks for. */
export type ImageCall = {
  readonly model: string | undefined;
  readonly request: ImageRequest;
  /** How its job is kept, so that the client can find it again; `undefined`: only if it has an `Idempotency-Key`. */
  readonly keeping?: JobKeeping | undefined;
  /** It is to run without its client, which gets the job's id at once. */
  readonly startsJob?: boolean;
  /** In place of the one that its headers may have. */
  readonly idempotencyKey?: string | undefined;
};

/** One wire form of image generation: how its requests are read, and how their responses are written. */
export interface Surface {
  /** Throws a GatewayError that names the parameter at fault. What it has stored is deleted then. */
  parse(request: FastifyRequest, config: RuntimeConfig): ImageCall | Promise<ImageCall>;
  /** Writes the response and settles the reader. Rejects with the generation's error while that can still be an error response. */
  write(reader: GenerationReader, reply: FastifyReply, asked: ImageRequest): Promise<void>;
  /** Says where the job is; `undefined`: its requests start none. */
  writeJob?(job: Job, reply: FastifyReply, asked: ImageRequest, config: RuntimeConfig): Promise<void>;
}

/** The handler of a surface's routes. An upload ends with the config that it began with. */
export function handleGeneration({ parse, write, writeJob }: Surface, current: Current): RouteHandlerMethod {
  return async (request, reply) => {
    const beginning = begin(request, current);
    const { config } = beginning;
    const call = await parse(request, config);
    if (call.startsJob && writeJob) {
      await writeJob(await startJob(call, beginning, reply), reply, call.request, config);
    } else {
      await write(await startGeneration(call, beginning, reply), reply, call.request);
    }
  };
}

/** What was in force when a request began. Either may change while its body arrives. */
export type Beginning = {
  readonly config: RuntimeConfig;
  /** The models that its consumer may use; `undefined`: all. */
  readonly models: ReadonlySet<string> | undefined;
};

export function begin({ consumer }: FastifyRequest, { config }: Current): Beginning {
  return { config, models: consumer?.models };
}

/** Starts what a request asks for. Its client leaves when it disconnects. */
export async function startGeneration(
  call: ImageCall,
  beginning: Beginning,
  reply: FastifyReply,
): Promise<GenerationReader> {
  const { request } = reply;
  const reader = await started(call, request, beginning, (model, caller) =>
    beginning.config.gateway.start(model, call.request, caller),
  );
  request.record.generation = reader;
  await refundRepeated(reply, reader.report.keyedAs);
  // A client has disconnected when its connection closes before the response was written completely. (Fastify's
  // `request.signal` is aborted as soon as the request's body has been read, so it cannot tell.)
  whenDisconnected(reply, () => reader.leave());
  return reader;
}

/** Starts what a request asks for as a job that no client waits for. */
export async function startJob(call: ImageCall, beginning: Beginning, reply: FastifyReply): Promise<Job> {
  const { request } = reply;
  const { gateway } = beginning.config;
  const { jobs } = gateway;
  if (!jobs.areDurable) {
    await call.request.edit?.inputs.release();
    throw withoutJobs();
  }
  const { id, keyedAs, isNew, budget } = await started(call, request, beginning, (model, caller) =>
    gateway.startJob(model, call.request, caller),
  );
  request.record.job = id;
  await refundRepeated(reply, isNew ? undefined : (keyedAs ?? 'joined'));
  reply.header('x-gateway-job', shownJobId(id));
  if (budget) reply.headers(budgetHeader(budget));
  if (keyedAs === 'replayed') reply.header('idempotent-replayed', 'true');
  return await jobs.find(request.consumerId, id);
}

/** Starts what a request asks for, which accounts for its body and owns its inputs from then on. */
async function started<T>(
  { model, request: asked, keeping, idempotencyKey }: ImageCall,
  request: FastifyRequest,
  { models }: Beginning,
  start: (model: string | undefined, caller: Caller) => Promise<T>,
): Promise<T> {
  const { record, arrival } = request;
  record.request = asked;
  record.count = asked.count;
  arrival?.release();
  try {
    const caller = { ...callerOf(request), models, keeping };
    return await start(modelOf(request, model), { ...caller, ...(idempotencyKey !== undefined && { idempotencyKey }) });
  } catch (error) {
    await asked.edit?.inputs.release();
    throw error;
  }
}

/** Tells of a client that disconnects before its response was written completely. */
export function whenDisconnected({ raw }: FastifyReply, leave: () => void): void {
  raw.once('close', () => {
    if (!raw.writableFinished) leave();
  });
  // It may have disconnected while an upload was checked.
  if (raw.destroyed) leave();
}

/** A request that joins another, or has its response again, takes nothing of its consumer's quota. */
async function refundRepeated(reply: FastifyReply, keyedAs: KeyedAs | undefined): Promise<void> {
  const { quota } = reply.request;
  if (quota === undefined || keyedAs === undefined || keyedAs === 'first') return;
  reply.headers(rateLimitHeaders('requests', await quota.refund()));
}

/** For routes of jobs that can be found again. */
export function refuseWithoutJobs(app: FastifyInstance, current: Current): void {
  app.addHook('onRequest', async () => {
    if (!current.config.gateway.jobs.areDurable) throw withoutJobs();
  });
}

/** Where nothing outlives the process, nobody can be promised to find a job again. */
export function withoutJobs(): GatewayError {
  const message = 'Jobs are not offered here: this gateway keeps none. Its operator can set DATA_DIR.';
  return new GatewayError('unsupported_endpoint', message);
}
