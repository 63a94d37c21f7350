import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Ledger, RecordedRequest } from './ledger.ts';
import { scenarios } from './scenarios.ts';
import { shortenDataUrls } from './shorten-data-urls.ts';

const deskPath = '/simulator/';

/** Writes every request into the ledger as it comes in, and its body once that is complete. */
export function recordRequests(app: FastifyInstance, ledger: Ledger): void {
  const recorded = new WeakMap<FastifyRequest, RecordedRequest>();
  app.addHook('onRequest', async (request) => {
    if (request.url.startsWith(deskPath)) return;
    const { method, url, headers } = request;
    const path = url.split('?', 1)[0] ?? url;
    const record: RecordedRequest = {
      method,
      path,
      query: { ...(request.query as Record<string, unknown>) },
      headers: { ...headers },
      body: undefined,
    };
    recorded.set(request, record);
    ledger.noteRequest(record);
  });
  app.addHook('preHandler', async (request) => {
    const record = recorded.get(request);
    if (record !== undefined && request.method === 'POST') record.body = shortenDataUrls(request.body);
  });
}

/** Adds the pages that are not Azure's: the ledger's counts, the table of scenarios, and the reset. */
export function addSimulatorDesk(app: FastifyInstance, ledger: Ledger): void {
  app.get(`${deskPath}ledger`, async () => ledger.counts());
  app.get(`${deskPath}scenarios`, async () => scenarios);
  app.post(`${deskPath}reset`, async (_request, reply) => {
    ledger.reset();
    return reply.code(204).send();
  });
}
