import type { FastifyInstance } from 'fastify';
import { rateLimitHeaders } from './rate-limit-headers.ts';

/**
 * Refuses what a key may not have any more, before the body is read, and says in headers what is left. Pictures are paid for
 * later, by the gateway, which knows whether a request starts any.
 */
export function limitRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    const { account } = request;
    if (request.method !== 'POST' || account === undefined) return;
    reply.raw.once('close', account.enter());
    const noteImages = (usage: Parameters<typeof rateLimitHeaders>[1]) =>
      void reply.headers(rateLimitHeaders('images', usage));
    request.payImages = (count) => account.payImages(count, noteImages);
    const images = await account.imageUsage();
    if (images !== undefined) noteImages(images);
    await account.countRequest((usage) => void reply.headers(rateLimitHeaders('requests', usage)));
  });
}
