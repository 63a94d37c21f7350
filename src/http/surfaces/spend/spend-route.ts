import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../../../domain/gateway-error.ts';
import { maxSpendRows } from '../../../domain/ledger.ts';
import { isAdmin } from '../../access.ts';
import type { Current } from '../../surface.ts';
import { refuseOtherMethods } from '../../unserved-routes.ts';
import { notCached } from '../jobs/write-job.ts';
import { readSpendFormat, readSpendQuery } from './spend-query.ts';
import { spendCsv, spendObject } from './spend-rows.ts';

export const spendUrl = '/v1/spend';

/** `GET /v1/spend`: what was spent, in groups. Each consumer sees its own, an administrator that of all. */
export function spendRoute(app: FastifyInstance, current: Current): void {
  app.get<{ Querystring: Record<string, unknown> }>(spendUrl, async (request, reply) => {
    const { gateway, currency } = current.config;
    const { accounts } = gateway;
    const { query, consumerId, headers } = request;
    const format = readSpendFormat(query, headers.accept);
    const asked = readSpendQuery(query, { consumerId, isAdmin: isAdmin(request), now: accounts.now() });
    const rows = await accounts.spend(asked);
    if (rows.length > maxSpendRows) throw tooManyGroups();
    reply.headers(notCached);
    if (format === 'json') return reply.send(spendObject(asked, rows, currency));
    return reply.type('text/csv; charset=utf-8; header=present').send(spendCsv(asked, rows));
  });
  refuseOtherMethods(app, spendUrl, ['GET', 'HEAD']);
}

function tooManyGroups(): GatewayError {
  const message = `The spend has more than ${maxSpendRows} rows. Ask for fewer days, or for fewer groups in 'by'.`;
  return new GatewayError('invalid_value', message, { param: 'by' });
}
