import type { FastifyRequest } from 'fastify';
import type { ImageDownload } from '../../../domain/image-download.ts';
import type { InputStore, OpenInputStore } from '../../../domain/image-input.ts';
import { targetsFor } from '../../../parameters/plan.ts';
import { modelInPath } from '../../request-path.ts';
import type { ImageCall, RuntimeConfig } from '../../surface.ts';
import { readForm } from '../../uploads/read-form.ts';
import { readJsonEdit } from '../../uploads/read-json-edit.ts';
import { editInputs } from '../../uploads/receive-input.ts';
import { disconnection, readUpload } from '../../uploads/watch-upload.ts';
import { parseParameters } from './parse-parameters.ts';

/** Reads `…/images/edits`, multipart or JSON, while it arrives. */
export function parseEdit(openInputs: OpenInputStore) {
  return async (
    request: FastifyRequest,
    { gateway, uploadLimits: limits, inputDownload: download }: RuntimeConfig,
  ): Promise<ImageCall> => {
    // A model in the path is known before the upload, which may be all in vain.
    const name = modelInPath(request);
    if (name !== undefined) targetsFor('edit', gateway.catalog.find(name, request.consumer?.models));
    const inputs = openInputs(request.consumerId);
    try {
      return await readUpload(request.raw, { limits, arrival: request.arrival }, () =>
        readEdit(request, { inputs, download, linkBytes: limits.uploadBytes }),
      );
    } catch (error) {
      await inputs.release();
      throw error;
    }
  };
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
  const upload = await readJsonEdit(request.raw, { ...sources, signal: disconnection(request.raw) });
  return parseParameters(upload.parameters, editInputs(upload, 'images', inputs));
}
