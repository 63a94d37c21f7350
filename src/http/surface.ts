import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import type { GenerationReader, KeyedAs } from '../domain/generation-reader.ts';
import type { ImageDownload } from '../domain/image-download.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { Caller, JobKeeping } from '../generations/caller.ts';
import type { Gateway } from '../generations/gateway.ts';
import type { StartedJob } from '../generations/generation-starter.ts';
import { callerOf, rateLimitHeaders } from './gateway-headers.ts';
import { modelOf } from './request-path.ts';
import type { UploadLimits } from './uploads/watch-upload.ts';

/** What the models file decides about requests. A reload replaces it as a whole; requests that have begun keep theirs. */
export type RuntimeConfig = {
  readonly gateway: Gateway;
  readonly uploadLimits: UploadLimits;
  /** Fetches images that clients give as links; `undefined`: none are fetched. */
  readonly inputDownload: ImageDownload | undefined;
  /** The currency of costs in headers. */
  readonly currency: string;
};

/** The runtime config that is in force: another one after a reload. */
export type Current = { readonly config: RuntimeConfig };

/** A request for images: the logical model, if its parameters name one, and what it asks for. */
export type ImageCall = {
  readonly model: string | undefined;
  readonly request: ImageRequest;
  /** `undefined`: it is found again by its `Idempotency-Key` at most. */
  readonly keeping?: JobKeeping | undefined;
};

/** One wire form of image generation: how its requests are read, and how their responses are written. */
export interface Surface {
  /** Throws a GatewayError that names the parameter at fault. What it has stored is deleted then. */
  parse(request: FastifyRequest, config: RuntimeConfig): ImageCall | Promise<ImageCall>;
  /** Writes the response and settles the reader. Rejects with the generation's error while that can still be an error response. */
  write(reader: GenerationReader, reply: FastifyReply, asked: ImageRequest): Promise<void>;
}

/** The handler of a surface's routes. An upload ends with the config that it began with. */
export function handleGeneration({ parse, write }: Surface, current: Current): RouteHandlerMethod {
  return async (request, reply) => {
    const beginning = begin(request, current);
    const call = await parse(request, beginning.config);
    const reader = await startGeneration(request, reply, beginning, call);
    await write(reader, reply, call.request);
  };
}

/** What was in force when a request began. It may change while its body arrives. */
export type Beginning = { readonly config: RuntimeConfig; readonly models: ReadonlySet<string> | undefined };

export function begin({ consumer }: FastifyRequest, { config }: Current): Beginning {
  return { config, models: consumer?.models };
}

/** Starts what a request asks for. Its client leaves when it disconnects. */
export async function startGeneration(
  request: FastifyRequest,
  reply: FastifyReply,
  { config: { gateway }, models }: Beginning,
  call: ImageCall,
): Promise<GenerationReader> {
  const reader = await startWith(request, call, models, (model, caller) => gateway.start(model, call.request, caller));
  request.record.generation = reader;
  await refundRepeated(request, reply, reader.report.keyedAs);
  leaveAtClose(reply, reader);
  return reader;
}

/** Starts what a request asks for as a job that no client waits for. */
export async function startJob(
  request: FastifyRequest,
  reply: FastifyReply,
  { config: { gateway }, models }: Beginning,
  call: ImageCall,
): Promise<StartedJob> {
  const job = await startWith(request, call, models, (model, caller) => gateway.startJob(model, call.request, caller));
  await refundRepeated(request, reply, job.keyedAs);
  return job;
}

async function startWith<T>(
  request: FastifyRequest,
  call: ImageCall,
  models: Beginning['models'],
  start: (model: string | undefined, caller: Caller) => Promise<T>,
): Promise<T> {
  const { record, arrival } = request;
  const { request: asked, keeping } = call;
  record.request = asked;
  record.count = asked.count;
  // From here on the generation accounts for the body.
  arrival?.release();
  try {
    return await start(modelOf(request, call.model), { ...callerOf(request), models, keeping });
  } catch (error) {
    // A generation that has not started does not own its inputs.
    await asked.edit?.inputs.release();
    throw error;
  }
}

/**
 * A client has disconnected when its connection closes before the response was written completely. (Fastify's `request.signal`
 * is aborted as soon as the request's body has been read, so it cannot tell.)
 */
export function leaveAtClose({ raw }: FastifyReply, reader: Pick<GenerationReader, 'leave'>): void {
  raw.once('close', () => {
    if (!raw.writableFinished) reader.leave();
  });
  // It may have disconnected while an upload was checked.
  if (raw.destroyed) reader.leave();
}

/** A request that joins another, or has its response again, takes nothing of its consumer's quota. */
async function refundRepeated(
  { quota }: FastifyRequest,
  reply: FastifyReply,
  keyedAs: KeyedAs | undefined,
): Promise<void> {
  if (quota === undefined || keyedAs === undefined || keyedAs === 'first') return;
  reply.headers(rateLimitHeaders('requests', await quota.refund()));
}
