import type { FastifyReply } from 'fastify';

/**
 * Clients on Node give up a call after 300 s without a byte, whatever their own timeout says, and then pay again. A
 * `102 Processing` now and then keeps them waiting. Other clients take a 102 for the response, so only those get it whose SDK
 * says that it runs on JavaScript.
 */
export function keepAliveWhileSilent({ raw, request }: FastifyReply): void {
  const isNodeSdk = request.headers['x-stainless-lang'] === 'js' && request.raw.httpVersion === '1.1';
  if (!isNodeSdk) return;
  const timer = setInterval(() => {
    if (raw.headersSent) clearInterval(timer);
    else raw.writeProcessing();
  }, request.server.interimMs);
  raw.once('close', () => clearInterval(timer));
}
