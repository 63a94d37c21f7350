import type { IncomingHttpHeaders } from 'node:http';
import { expect, onTestFinished } from 'vitest';
import type { RecordedRequest } from '../../simulator/ledger.ts';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { createDiskImageStore } from '../../src/storage/disk-image-store.ts';
import { gatewayKey, startGateway } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

export { gatewayKey };

/** A call as it came to the gateway. */
export type Call = { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders };

export type Rig = {
  readonly url: string;
  /** The simulated Azure; its ledger shows what was billed. */
  readonly simulator: Simulator;
  /** What the client sent to the gateway, path with query. */
  readonly calls: readonly Call[];
  /** Requests that the gateway works on. */
  inFlight(): number;
  /** The paid calls that the simulator received. */
  paidCalls(): readonly RecordedRequest[];
};

type Options = {
  /** Of the models file. */
  readonly lingerMs?: number;
  /** Of the models file, too. */
  readonly inFlight?: number;
  /** Whether jobs are kept in a directory, too. */
  readonly keepsJobs?: boolean;
  /** Where requests for chat models go: the `responses` of the models file. */
  readonly responses?: object | undefined;
};

/** A gateway that hosts images, in front of a simulator. Both end with the test. */
export async function startRig({ keepsJobs = false, responses, ...limits }: Options = {}): Promise<Rig> {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  onTestFinished(() => simulator.close());
  const directory = await temporaryDirectory();
  const hosting = keepsJobs ? { dataDir: directory } : { store: await createDiskImageStore({ directory }) };
  const models = { ...modelsFile(simulator.origin, limits), ...(responses && { responses }) };
  const { url, app } = await startGateway(models, { ...hosting, times: { backoffMs: 20 } });
  const calls: Call[] = [];
  // First of all, because the gateway writes the path that its routes know over the one that came.
  app.server.server.prependListener('request', ({ method = '', url: path = '', headers }) =>
    calls.push({ method, path, headers }),
  );
  return {
    url,
    simulator,
    calls,
    inFlight: () => app.gateway.inFlight,
    paidCalls: () => simulator.ledger.requests.filter(({ method }) => method === 'POST'),
  };
}

/** Model names that clients have to put into paths: with a slash, and with a blank. */
export const awkwardNames = ['studio/poster', 'big poster'] as const;

const aliasOf = { 'gpt-image-1': 'image', 'azure-image': awkwardNames[0], 'agent-image-generation': 'image' };

/** Other names of the models. */
export const aliases: readonly string[] = Object.keys(aliasOf);

function modelsFile(origin: string, limits: object): object {
  const common = { baseURL: origin, apiKey: 'simulator-key', timeoutMs: 60_000 };
  const deployment = { ...common, provider: 'azure-deployment' };
  const poster = { ...common, provider: 'azure-v1', model: 'gpt-image-1.5' };
  return {
    limits,
    defaultModel: 'image',
    aliases: aliasOf,
    models: {
      image: { ...deployment, model: 'gpt-image-2', deployment: 'gpt-image-2', apiVersion: '2025-04-01-preview' },
      [awkwardNames[0]]: poster,
      [awkwardNames[1]]: poster,
      'dall-e-3': { ...deployment, model: 'dall-e-3', deployment: 'dall-e-3', apiVersion: '2024-10-21' },
    },
  };
}

/** What the simulated Azure received and would have billed, and nothing else. */
export function expectPaid({ simulator }: Rig, paid: { received: number; billed: number; images: number }): void {
  const { received, billed, images } = simulator.ledger.counts();
  expect({ received, billed, images }).toEqual(paid);
}

/** That this many calls, and no others, were made of the deployment behind `azure-image`. */
export function expectAzureImage({ simulator }: Rig, calls: number): void {
  expect(simulator.ledger.counts().billedByDeployment).toEqual({ 'gpt-image-1.5': calls });
}

/** One call, one image. */
export const expectOnePaid = (rig: Rig) => expectPaid(rig, { received: 1, billed: 1, images: 1 });
