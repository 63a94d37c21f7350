import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type { ImageDownload } from '../../../domain/image-download.ts';
import type { InputStore, OpenInputStore } from '../../../domain/image-input.ts';
import type { Gateway } from '../../../generations/gateway.ts';
import { targetsFor } from '../../../parameters/plan.ts';
import { answerGeneration } from '../../answer-generation.ts';
import { callerOf } from '../../caller-of.ts';
import { modelInPath, modelOf } from '../../model-of.ts';
import type { Serving } from '../../serving.ts';
import { readForm } from '../../uploads/read-form.ts';
import { readJsonEdit } from '../../uploads/read-json-edit.ts';
import { editInputs } from '../../uploads/receive-input.ts';
import { readUpload } from '../../uploads/watch-upload.ts';
import { type ImageCall, parseParameters } from './parse-parameters.ts';

/** `…/images/edits`, multipart or JSON, answered with JSON or with an event stream. */
export function handleEdits(serving: () => Serving, openInputs: OpenInputStore) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    // An upload takes a while, and ends with the configuration that it began with.
    const { gateway, uploadLimits: limits, inputDownload: download } = serving();
    const models = request.account?.models;
    checkNamedModel(request, gateway);
    const inputs = openInputs(request.callerId);
    let isStarted = false;
    const start = async (call: ImageCall) => {
      const generation = await gateway.start(modelOf(request, call.model), call.request, {
        ...callerOf(request),
        models,
      });
      isStarted = true;
      return generation;
    };
    try {
      const call = await readUpload(request.raw, { limits, arrival: request.arrival }, () =>
        readEdit(request, { inputs, download, linkBytes: limits.uploadBytes }),
      );
      await answerGeneration(request, reply, call.request, () => start(call));
    } finally {
      if (!isStarted) await inputs.release();
    }
  };
}

/** A model that the path names is looked up before the upload: it may be all in vain. */
function checkNamedModel(request: FastifyRequest, { catalog }: Gateway): void {
  const name = modelInPath(request);
  if (name !== undefined) targetsFor('edit', catalog.find(name, request.account?.models));
}

type Sources = {
  readonly inputs: InputStore;
  readonly download: ImageDownload | undefined;
  readonly linkBytes: number;
};

async function readEdit(request: FastifyRequest, sources: Sources): Promise<ImageCall> {
  const { inputs } = sources;
  if (request.isMultipart()) {
    const form = await readForm(request, inputs);
    return parseParameters(form.parameters, editInputs(form, 'image', inputs));
  }
  const left = new AbortController();
  request.raw.once('close', () => left.abort(new GatewayError('client_gone', 'The caller closed its connection.')));
  const upload = await readJsonEdit(request.raw, { ...sources, signal: left.signal });
  return parseParameters(upload.parameters, editInputs(upload, 'images', inputs));
}
