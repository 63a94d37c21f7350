import type { FastifyInstance, FastifyRequest } from 'fastify';
import { shortenDataUrls } from './incoming-request.ts';
import { scenarios } from './scenarios.ts';

/** The protocol a generation was asked for in. */
export type Flow = 'azure-async' | 'azure-deployment' | 'azure-v1' | 'foundry-agent' | 'mai' | 'flux';

/** What a call wants made: images from a prompt alone, or from images too. */
export type ImageOperation = 'generate' | 'edit';

/** One accepted generation: what Azure would put on the bill. `images` is the number asked for. */
type BilledGeneration = {
  readonly operation: ImageOperation;
  readonly flow: Flow;
  readonly deployment: string;
  readonly prompt: string;
  readonly images: number;
  readonly scenario: string;
};

/**
 * One request as it arrived. `body` is the parsed JSON of a POST, or the `FormRecord` of an edit; it stays undefined
 * when none was read.
 */
export type RecordedRequest = {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  body: unknown;
  /** When it came, as of `performance.now()`. */
  readonly at: number;
};

/** The sums that `GET /simulator/ledger` serves: no prompts, no headers, no credentials. */
type LedgerCounts = {
  readonly billed: number;
  readonly images: number;
  readonly received: number;
  readonly requests: number;
  /** Responses that were cancelled while they ran. */
  readonly cancelled: number;
  readonly billedByOperation: Readonly<Record<string, number>>;
  readonly billedByFlow: Readonly<Record<string, number>>;
  readonly billedByDeployment: Readonly<Record<string, number>>;
  readonly billedByScenario: Readonly<Record<string, number>>;
};

/** The simulator's memory of what it was sent. The two lists hold the newest entries only, the counts hold all. */
export type Ledger = {
  readonly generations: readonly BilledGeneration[];
  readonly requests: readonly RecordedRequest[];
  /** Paid POSTs that arrived completely and with a good key, whatever the response was. */
  readonly received: number;
  counts(): LedgerCounts;
  reset(): void;
  noteBilled(generation: BilledGeneration): void;
  noteReceived(): void;
  noteCancelled(): void;
  noteRequest(request: RecordedRequest): void;
  /** Says whether this prompt is noted for the first time. */
  noteFirst(prompt: string): boolean;
};

const keptGenerations = 10_000;
const keptRequests = 1000;
const keptPrompts = 1000;

/** Creates an empty ledger. */
export function createLedger(): Ledger {
  const generations: BilledGeneration[] = [];
  const requests: RecordedRequest[] = [];
  const prompts = new Set<string>();
  let totals = emptyTotals();
  return {
    generations,
    requests,
    get received() {
      return totals.received;
    },
    counts: () => structuredClone(totals),
    reset() {
      generations.length = 0;
      requests.length = 0;
      prompts.clear();
      totals = emptyTotals();
    },
    noteBilled(generation) {
      append(generations, generation, keptGenerations);
      totals.billed += 1;
      totals.images += generation.images;
      increase(totals.billedByOperation, generation.operation);
      increase(totals.billedByFlow, generation.flow);
      increase(totals.billedByDeployment, generation.deployment);
      increase(totals.billedByScenario, generation.scenario);
    },
    noteReceived() {
      totals.received += 1;
    },
    noteCancelled() {
      totals.cancelled += 1;
    },
    noteRequest(request) {
      append(requests, request, keptRequests);
      totals.requests += 1;
    },
    noteFirst(prompt) {
      if (prompts.has(prompt)) return false;
      if (prompts.size === keptPrompts) prompts.clear();
      prompts.add(prompt);
      return true;
    },
  };
}

function emptyTotals() {
  const tally = (): Record<string, number> => ({});
  return {
    billed: 0,
    images: 0,
    received: 0,
    requests: 0,
    cancelled: 0,
    billedByOperation: tally(),
    billedByFlow: tally(),
    billedByDeployment: tally(),
    billedByScenario: tally(),
  };
}

function append<Entry>(list: Entry[], entry: Entry, kept: number): void {
  list.push(entry);
  if (list.length > kept) list.shift();
}

function increase(tally: Record<string, number>, name: string): void {
  tally[name] = (tally[name] ?? 0) + 1;
}

const ownPath = '/simulator/';

/** Writes every request into the ledger as it comes in, and its body once that is complete. */
export function recordRequests(app: FastifyInstance, ledger: Ledger): void {
  const recorded = new WeakMap<FastifyRequest, RecordedRequest>();
  app.addHook('onRequest', async (request) => {
    if (request.url.startsWith(ownPath)) return;
    const { method, url, headers } = request;
    const path = url.split('?', 1)[0] ?? url;
    const record: RecordedRequest = {
      method,
      path,
      query: { ...(request.query as Record<string, unknown>) },
      headers: { ...headers },
      body: undefined,
      at: performance.now(),
    };
    recorded.set(request, record);
    ledger.noteRequest(record);
  });
  app.addHook('preHandler', async (request) => {
    const record = recorded.get(request);
    if (record !== undefined && request.method === 'POST') record.body = shortenDataUrls(request.body);
  });
}

/** Adds the simulator's own endpoints: the ledger's counts, the table of scenarios, and the reset. */
export function addLedgerEndpoints(app: FastifyInstance, ledger: Ledger): void {
  app.get(`${ownPath}ledger`, async () => ledger.counts());
  app.get(`${ownPath}scenarios`, async () => scenarios);
  app.post(`${ownPath}reset`, async (_request, reply) => {
    ledger.reset();
    return reply.code(204).send();
  });
}
