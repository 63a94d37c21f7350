import type { ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { editForm, file, pngImage, post } from '../end-to-end/edits.ts';
import { inWords, readEvents } from '../end-to-end/events.ts';
import { chatTarget, modelsFile, startUpstream } from '../end-to-end/rig.ts';
import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { type FormPart, formHeaders } from '../simulator/write-form.ts';

// Requests with an `Idempotency-Key`, and what they get the second time.

type Hosting = NonNullable<Parameters<typeof startGateway>[1]>;

type Options = Omit<Hosting, 'dataDir'> & {
  /** By default a new directory; `undefined`: jobs are kept in memory. */
  readonly dataDir?: string | undefined;
  /** Keys that are added to each model. */
  readonly modelKeys?: Record<string, unknown>;
  readonly limits?: Record<string, unknown>;
  /** Leaves out `artist` and `later`. */
  readonly withoutAgents?: boolean;
  /** Calls go there instead of to the simulator. */
  readonly origin?: string;
};

export type PaidOnceRig = StartedGateway & {
  readonly dataDir: string | undefined;
  readonly simulator: Simulator;
  /** Paid calls that the simulator has received. */
  readonly received: number;
};

/** A gateway that keeps its jobs in a directory, in front of a simulator; both end with the test. */
export async function startPaidOnce({
  modelKeys,
  limits,
  origin,
  withoutAgents,
  ...options
}: Options = {}): Promise<PaidOnceRig> {
  const { dataDir, ...hosting } = 'dataDir' in options ? options : { ...options, dataDir: await temporaryDirectory() };
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  onTestFinished(() => simulator.close());
  const at = origin ?? simulator.origin;
  const file = modelsFile(at, 60_000, modelKeys) as { models: object };
  const models = { ...file.models, ...(withoutAgents ? {} : agents(at, modelKeys)) };
  const gateway = await startGateway(
    { ...file, models, limits: { lingerMs: 60_000, ...limits } },
    { ...hosting, ...(dataDir !== undefined && { dataDir }) },
  );
  return Object.defineProperties({ ...gateway } as PaidOnceRig, {
    log: { get: () => gateway.log },
    dataDir: { value: dataDir },
    simulator: { value: simulator },
    received: { get: () => simulator.ledger.received },
  });
}

/** A gateway in front of an upstream that holds every call until the test responds to it. */
export async function startHeld(options: Options = {}) {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_request, response) => {
    response.on('error', () => {});
    held.push(response);
  });
  const gateway = await startPaidOnce({ origin: upstream.origin, ...options });
  return { held, upstream, gateway, url: gateway.url };
}

/** Chat deployments that draw with their tool: `artist` at once, `later` in the background. */
function agents(origin: string, modelKeys: Record<string, unknown> = {}): object {
  const artist = chatTarget(origin, { maxRetries: 0, ...modelKeys });
  return { artist, later: { ...artist, background: true } };
}

export type Members = Readonly<Record<string, unknown>>;
type Headers = Readonly<Record<string, string>>;

export const keyed = (key: string): Headers => ({ 'idempotency-key': key });

/** A generation as JSON. */
export function generate(url: string, members: Members = {}, headers: Headers = {}, path?: string): Promise<Called> {
  return callGateway(url, { prompt: 'a cat', ...members }, { headers, ...(path && { path }) });
}

/** An edit as a form. */
export async function edit(url: string, members: Members = {}, headers: Headers = {}, path?: string): Promise<Called> {
  const texts = Object.entries(members).map(([name, value]) => [name, String(value)]);
  return editWith(url, [file('image', await pngImage())], Object.fromEntries(texts), headers, path);
}

/** An edit of these files. */
export function editWith(
  url: string,
  files: readonly FormPart[],
  members: Readonly<Record<string, string>> = {},
  headers: Headers = {},
  path?: string,
): Promise<Called> {
  return post(url, editForm(files, members), { ...formHeaders, ...headers }, path);
}

export const operations = { generation: generate, edit } as const;
export type OperationName = keyof typeof operations;
export const operationNames = Object.keys(operations) as OperationName[];

/** The bytes of a response's images, in order, however they come. */
export async function imagesIn({ text, headers }: Called): Promise<Buffer[]> {
  if (headers.get('content-type') === 'text/event-stream') {
    const completed = readEvents(text).filter((event) => /completed$/.test(inWords(event)));
    return completed.map(({ data }) => Buffer.from(data.b64_json ?? '', 'base64'));
  }
  const { data } = JSON.parse(text) as { data: { b64_json?: string; url?: string }[] };
  return Promise.all(
    data.map(async ({ b64_json, url }) =>
      url === undefined ? Buffer.from(b64_json ?? '', 'base64') : Buffer.from(await (await fetch(url)).arrayBuffer()),
    ),
  );
}

/** What a response says about its key. */
export function keyHeaders({ headers }: Called) {
  return { job: headers.get('x-gateway-job'), replayed: headers.get('idempotent-replayed') };
}

/** All headers of a response but those that differ with each request. */
export function steadyHeaders({ headers }: Called): Readonly<Record<string, string>> {
  const own = ['date', 'x-request-id', 'server-timing', 'idempotent-replayed', 'x-gateway-cost-usd'];
  return Object.fromEntries([...headers].filter(([name]) => !own.includes(name)));
}
