import type { FastifyReply, FastifyRequest } from 'fastify';
import { unsupportedContentType } from './azure-errors.ts';
import { type ReceivedForm, receiveForm } from './receive-form.ts';
import { sendPlain } from './send-response.ts';

/** The hooks of the routes that take forms, and the form that they have read of a request. */
export type FormHooks = {
  requireForm(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined>;
  readForm(request: FastifyRequest): Promise<void>;
  formOf(request: FastifyRequest): ReceivedForm | undefined;
};

/** Creates the hooks of one scope: `requireForm` for `onRequest`, `readForm` for `preValidation`. */
export function createFormHooks(): FormHooks {
  const forms = new WeakMap<FastifyRequest, ReceivedForm>();
  return {
    async requireForm(request, reply) {
      const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1);
      const isForm = type.trim().toLowerCase() === 'multipart/form-data';
      return isForm ? undefined : sendPlain(reply, unsupportedContentType(type.trim(), 'multipart/form-data'));
    },
    // As early as a JSON body would be there: the ledger takes it from the request.
    async readForm(request) {
      const form = await receiveForm(request);
      forms.set(request, form);
      request.body = form.record;
    },
    formOf: (request) => forms.get(request),
  };
}
