import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import type { GenerationReader } from '../domain/generation-reader.ts';
import type { ImageDownload } from '../domain/image-download.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { PassThrough } from '../domain/pass-through.ts';
import type { Gateway } from '../generations/gateway.ts';
import { callerOf, rateLimitHeaders } from './gateway-headers.ts';
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
};

/** The runtime config that is in force: another one after a reload. */
export type Current = { readonly config: RuntimeConfig };

/** A request for images: the logical model, if its parameters name one, and what it asks for. */
export type ImageCall = { readonly model: string | undefined; readonly request: ImageRequest };

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
    const { record, arrival, consumer } = request;
    const { config } = current;
    const models = consumer?.models;
    const call = await parse(request, config);
    const asked = call.request;
    record.request = asked;
    record.count = asked.count;
    // From here on the generation accounts for the body.
    arrival?.release();
    let reader: GenerationReader;
    try {
      reader = await config.gateway.start(modelOf(request, call.model), asked, { ...callerOf(request), models });
    } catch (error) {
      // A generation that has not started does not own its inputs.
      await asked.edit?.inputs.release();
      throw error;
    }
    record.generation = reader;
    await refundRepeated(request, reply, reader);
    // A client has disconnected when its connection closes before the response was written completely. (Fastify's
    // `request.signal` is aborted as soon as the request's body has been read, so it cannot tell.)
    const { raw } = reply;
    raw.once('close', () => {
      if (!raw.writableFinished) reader.leave();
    });
    // It may have disconnected while an upload was checked.
    if (raw.destroyed) reader.leave();
    await write(reader, reply, asked);
  };
}

/** A request that joins another, or has its response again, takes nothing of its consumer's quota. */
async function refundRepeated(
  { quota }: FastifyRequest,
  reply: FastifyReply,
  { report: { keyedAs } }: GenerationReader,
): Promise<void> {
  if (quota === undefined || keyedAs === undefined || keyedAs === 'first') return;
  reply.headers(rateLimitHeaders('requests', await quota.refund()));
}
