import { onTestFinished } from 'vitest';
import type { RecordedRequest } from '../../simulator/ledger.ts';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { chatTarget } from './rig.ts';

export type AgentRig = {
  readonly gateway: StartedGateway;
  readonly url: string;
  readonly simulator: Simulator;
  /** The requests to the Responses API with this method, but for cancels. */
  requests(method: 'POST' | 'GET'): RecordedRequest[];
};

type Options = {
  readonly timeoutMs?: number;
  readonly operationMs?: number;
  readonly targetKeys?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
};

/**
 * A gateway in front of a simulator whose chat deployment draws with its tool: `artist` responds with JSON, `live` streams
 * as well, and `later` works in the background.
 */
export async function startAgents(options: Options = {}): Promise<AgentRig> {
  const { timeoutMs = 60_000, operationMs = 5, targetKeys, limits } = options;
  const simulator = await startSimulator({ operationMs, partialMs: 1 });
  onTestFinished(() => simulator.close());
  const artist = chatTarget(simulator.origin, {
    apiKey: simulator.apiKey,
    timeoutMs,
    // What follows a failure, and a client that disconnects, has tests of its own.
    maxRetries: 0,
    ...targetKeys,
  });
  const gateway = await startGateway({
    limits: { lingerMs: 0, ...limits },
    defaultModel: 'artist',
    models: {
      artist,
      live: { ...artist, capabilities: { streams: true } },
      later: { ...artist, background: true },
    },
  });
  const requests = (method: string) =>
    simulator.ledger.requests.filter((request) => request.method === method && !request.path.endsWith('/cancel'));
  return { gateway, url: gateway.url, simulator, requests };
}
