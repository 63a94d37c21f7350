import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import { answerHeaders, costHeaderInDollars } from './openapi/headers.ts';

/**
 * Lets web pages of these origins call the gateway and read its answers; `'*'`: of all.
 * @param costHeader gives the name of the header that tells the cost, as it is now
 */
export function allowOrigins(app: FastifyInstance, origins: readonly string[], costHeader: () => string): void {
  const settings = {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    maxAge: 3_600,
    // Otherwise an OPTIONS that is no preflight would get an error that is not of OpenAI's shape.
    strictPreflight: false,
  };
  const names = Object.keys(answerHeaders);
  const exposed = () => names.map((name) => (name === costHeaderInDollars ? costHeader() : name));
  app.register(cors, { delegator: (_request, done) => done(null, { ...settings, exposedHeaders: exposed() }) });
}
