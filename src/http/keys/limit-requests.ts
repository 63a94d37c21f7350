import type { FastifyInstance } from 'fastify';
import { type Limited, rateLimitHeaders } from './rate-limit-headers.ts';
import type { Usage } from './rate-window.ts';

/**
 * Refuses what a key may not have any more, before the body is read, and says in headers what is left. Images are paid for
 * later, by the gateway, which knows whether a request starts any.
 */
export function limitRequests(app: FastifyInstance, mayRejoin: (callerId: string) => boolean): void {
  app.addHook('onRequest', async (request, reply) => {
    const { account } = request;
    if (request.method !== 'POST' || account === undefined) return;
    const note = (what: Limited, usage: Usage) => void reply.headers(rateLimitHeaders(what, usage));
    for (const what of ['requests', 'images'] as const) {
      const usage = await account.usage(what);
      if (usage !== undefined) note(what, usage);
    }
    // A retry of a request that still runs needs no permit of its own, and only its body tells that it is one.
    if (account.isBusy && !mayRejoin(request.callerId)) throw account.tooManyAtOnce();
    request.payImages = (count) => account.payImages(count, (usage) => note('images', usage));
    await account.countRequest((usage) => note('requests', usage));
  });
}
