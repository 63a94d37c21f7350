import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { maxSpendRows } from '../../src/domain/ledger.ts';
import { spendRoute } from '../../src/http/surfaces/spend/spend-route.ts';

test.each([
  [0, 200],
  [1, 400],
])('with %i rows more than the limit, the spend is a %i', async (more, status) => {
  const row = { target: 't', currency: 'USD', calls: 1, images: 1, cost: 1 };
  const spend = async () => Array.from({ length: maxSpendRows + more }, () => row);
  const accounts = { now: () => Date.now(), spend };
  const app = Fastify();
  let kind: unknown;
  app.setErrorHandler((error: { readonly kind?: string }, _, reply) => {
    kind = error.kind;
    return reply.code(400).send({});
  });
  spendRoute(app, { config: { gateway: { accounts }, currency: 'USD' } } as never);
  const { statusCode } = await app.inject({ url: '/v1/spend?by=target' });
  expect([statusCode, kind]).toEqual([status, more > 0 ? 'invalid_value' : undefined]);
});
