import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import type { GenerationReport } from '../../../domain/generation-reader.ts';
import type { InputStore, OpenInputStore } from '../../../domain/image-input.ts';
import { imageDeploymentHeader } from '../../../domain/image-tool.ts';
import type { Jobs } from '../../../generations/jobs.ts';
import { operationOf } from '../../../parameters/plan.ts';
import { ignoredWords } from '../../gateway-headers.ts';
import { type Beginning, begin, type Current, type ImageCall, startGeneration, startJob } from '../../surface.ts';
import { invalidMember } from '../../uploads/member-name.ts';
import { disconnection, readUpload } from '../../uploads/watch-upload.ts';
import { inputImages } from './earlier-images.ts';
import { ForwardableBody } from './forwardable-body.ts';
import { type ResponsesBody, readResponsesBody } from './read-responses-body.ts';
import { chooseModel } from './response-model.ts';
import type { ResponseFacts } from './response-object.ts';
import { asMemberError, requestOf } from './response-request.ts';
import { factsOf, textOfView, viewOf } from './response-view.ts';
import { readImageOf, streamStored, writeStored } from './stored-response.ts';
import { writeResponse } from './write-response.ts';
import { writeResponseStream } from './write-response-stream.ts';

/** What a body asks for, ready to be started. */
type Asked = { readonly body: ResponsesBody; readonly call: ImageCall };

/** Handles `POST …/responses`, whose body it reads while that arrives. */
export function createResponse(current: Current, openInputs: OpenInputStore): RouteHandlerMethod {
  return async (request, reply) => {
    const beginning = begin(request, current);
    const body = new ForwardableBody(request, beginning.config, openInputs);
    let asked: Asked | 'elsewhere';
    try {
      asked = await receive(request, beginning, body, openInputs(request.consumerId));
      if (asked === 'elsewhere') return await body.forward(reply);
    } finally {
      await body.release();
    }
    try {
      if (asked.body.members.background) return await runInBackground(asked, beginning, reply);
      await runNow(asked, beginning, reply);
    } catch (error) {
      throw asMemberError(error, asked.body);
    }
  };
}

/** Reads a body to its end, or until it is known to be meant for a model elsewhere. What it has stored is deleted then. */
async function receive(
  request: FastifyRequest,
  beginning: Beginning,
  { chunks, isElsewhere }: ForwardableBody,
  inputs: InputStore,
): Promise<Asked | 'elsewhere'> {
  const { uploadLimits: limits, inputDownload: download, gateway } = beginning.config;
  const { raw, arrival, consumerId: consumer } = request;
  const sources = { inputs, download, signal: disconnection(raw), linkBytes: limits.uploadBytes, isElsewhere };
  try {
    return await readUpload(raw, { limits, arrival }, async () => {
      const body = await readResponsesBody(chunks, sources);
      if (body === 'elsewhere') {
        await inputs.release();
        return body;
      }
      checkMembers(body, gateway.jobs.areDurable);
      const { previous_response_id } = body.members;
      const images = await inputImages(previous_response_id, body.images, { jobs: gateway.jobs, consumer, inputs });
      const asked = askedBy(request, body, beginning, requestOf(body, images, inputs));
      // Nobody else would: an image may have been sent, and not be worked on.
      if (asked.call.request.edit === undefined) await inputs.release();
      return asked;
    });
  } catch (error) {
    await inputs.release();
    throw error;
  }
}

/** Throws a GatewayError for what this gateway cannot keep. */
function checkMembers({ members: { background, store } }: ResponsesBody, areDurable: boolean): void {
  if (!background) return;
  if (!store) throw invalidMember('background', "needs 'store': the response could not be retrieved");
  if (areDurable) return;
  const problem = 'is not supported without a DATA_DIR: the response would be lost with the process';
  throw invalidMember('background', problem, 'unsupported_parameter');
}

function askedBy(
  { headers, record }: FastifyRequest,
  body: ResponsesBody,
  { config: { gateway }, models }: Beginning,
  { request, ignored }: ReturnType<typeof requestOf>,
): Asked {
  const header = headers[imageDeploymentHeader];
  const deployment = typeof header === 'string' && header !== '' ? header : undefined;
  const { catalog } = gateway;
  const model = chooseModel({ ...body.names, deployment }, { catalog, models });
  const { store, stream, background } = body.members;
  record.ignored = [...model.ignored, ...ignored];
  const view = textOfView({ echo: body.echo, isStored: store });
  // The last event of a stream has the image once more, so that it has to be stored until then.
  const keeping = store || stream ? { view, isBackground: background, isRetrievable: store } : undefined;
  return { body, call: { model: model.name, request, keeping } };
}

/** Responds when the image is there, or with a stream at once. */
async function runNow(asked: Asked, beginning: Beginning, reply: FastifyReply): Promise<void> {
  const { jobs } = beginning.config.gateway;
  const { consumerId } = reply.request;
  const reader = await startGeneration(asked.call, beginning, reply);
  const facts = await factsOfRun(asked, reader.report, jobs, consumerId);
  if (asked.body.members.stream) await writeResponseStream(reader, reply, { facts, readAgain: readImageOf(jobs) });
  else await writeResponse(reader, reply, facts);
}

/** Those that are recorded, because a repeated request gets the response of the first one. */
async function factsOfRun(
  { body, call }: Asked,
  { id, model }: GenerationReport,
  jobs: Jobs,
  consumer: string,
): Promise<ResponseFacts> {
  const job = call.keeping && (await jobs.find(consumer, id).catch(() => undefined));
  if (job !== undefined) return factsOf(job, viewOf(job).echo);
  return factsOf({ id, model, createdAt: Date.now(), operation: operationOf(call.request) }, body.echo);
}

/** Responds at once. */
async function runInBackground(
  { body, call }: Asked,
  beginning: Beginning,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const { jobs } = beginning.config.gateway;
  const job = await startJob(call, beginning, reply);
  const words = ignoredWords(reply.request.record);
  if (words.length > 0) reply.header('x-gateway-adapted', words.join(', '));
  const response = { job, view: viewOf(job) };
  if (!body.members.stream) return writeStored(response, reply, jobs);
  await streamStored(response, reply, { jobs, partialImages: call.request.partialImages });
  return undefined;
}
