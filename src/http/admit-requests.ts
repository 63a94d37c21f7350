import type { FastifyInstance, FastifyRequest } from 'fastify';
import { overloaded } from '../concurrency/semaphore.ts';
import type { Admission } from '../generations/admission.ts';
import type { Permits } from '../generations/permits.ts';
import { releaseAtClose } from './release-at-close.ts';

const megabyte = 1024 * 1024;

/**
 * Refuses what the process could not hold, before the body is read, and counts bodies while they arrive. The permits of a
 * request are acquired when its generation starts, and belong to that.
 */
export function admitRequests(
  app: FastifyInstance,
  admission: Admission,
  mayRejoin: (callerId: string) => boolean,
): void {
  app.addHook('onRequest', async (request, { raw }) => {
    const { method, headers, callerId } = request;
    if (method !== 'POST') return;
    const bytes = Number(headers['content-length'] ?? megabyte);
    // A retry of a request that still runs needs no place of its own, and only its body tells that it is one.
    if (admission.isFullFor(callerId, bytes) && !mayRejoin(callerId)) throw overloaded();
    request.arrival = admission.arrive(callerId);
    releaseAtClose(raw, request.arrival.release);
    request.acquire = (images) => acquirePermits(request, { admission, bytes, images });
  });
}

function acquirePermits(
  { account, callerId, payImages }: FastifyRequest,
  { admission, bytes, images }: { readonly admission: Admission; readonly bytes: number; readonly images: number },
): Permits {
  using acquired = new DisposableStack();
  if (account) acquired.defer(account.acquire());
  acquired.defer(admission.enter(callerId, bytes));
  const payment = payImages?.(images);
  const held = acquired.move();
  return {
    granted: payment?.paid,
    release(isSent) {
      held.dispose();
      if (!isSent) payment?.giveBack();
    },
  };
}
