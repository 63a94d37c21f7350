import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageDownload } from '../../domain/image-download.ts';
import type { InputSpool, OpenSpool } from '../../domain/input-spool.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { answerGeneration } from '../answer-generation.ts';
import { modelOf } from '../model-of.ts';
import { checkBoundary } from '../uploads/form-rules.ts';
import { readForm } from '../uploads/read-form.ts';
import { readJsonEdit } from '../uploads/read-json-edit.ts';
import { editInputs } from '../uploads/upload.ts';
import { readUpload, type UploadLimits } from '../uploads/watch-upload.ts';
import { type ImageCall, parseParameters } from './parse-parameters.ts';

export type EditsParts = {
  readonly gateway: Gateway;
  readonly openSpool: OpenSpool;
  readonly limits: UploadLimits;
  /** Fetches pictures that callers give as links; `undefined`: none are fetched. */
  readonly download: ImageDownload | undefined;
};

/** `…/images/edits`, multipart or JSON, answered with JSON or with an event stream. */
export function handleEdits({ gateway, openSpool, limits, download }: EditsParts) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const spool = openSpool();
    let isStarted = false;
    const start = (call: ImageCall) => {
      const generation = gateway.start(modelOf(request, call.model), call.request);
      isStarted = true;
      return generation;
    };
    try {
      const call = await readUpload(request.raw, limits, () => readEdit(request, spool, download));
      await answerGeneration(request, reply, call.request, () => start(call));
    } finally {
      if (!isStarted) await spool.release();
    }
  };
}

async function readEdit(
  request: FastifyRequest,
  spool: InputSpool,
  download: ImageDownload | undefined,
): Promise<ImageCall> {
  const contentType = request.headers['content-type'] ?? '';
  const release = () => spool.release();
  if (request.isMultipart()) {
    checkBoundary(contentType);
    const form = await readForm(request, spool);
    return parseParameters(form.parameters, editInputs(form, 'image', { release }));
  }
  const left = new AbortController();
  request.raw.once('close', () => left.abort(new GatewayError('client_gone', 'The caller closed its connection.')));
  const upload = await readJsonEdit(request.raw, { spool, download, signal: left.signal });
  return parseParameters(upload.parameters, editInputs(upload, 'images', { release }));
}
