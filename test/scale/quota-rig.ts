import { onTestFinished } from 'vitest';
import type { QuotaOptions } from '../../simulator/quota.ts';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** Azure's minute in these tests. */
export const windowMs = 6_000;

const quotaTimes = { windowMs, marginMs: 180, pollMs: 50, maxBlockMs: 10_000, maxAwayMs: 500 };
const times = { lingerMs: 0, backoffMs: 5, maxBackoffMs: 10, minLeftMs: 1_000 };

export const consumers = ['shop', 'mill', 'farm'] as const;

type Consumer = (typeof consumers)[number];

type Target = { readonly name: string; readonly deployment: string } & Record<string, unknown>;

type Options = {
  readonly targets: readonly Target[];
  readonly quotas: Readonly<Record<string, object>>;
  /** What the simulator enforces. */
  readonly enforced?: readonly QuotaOptions[];
  readonly replicas?: number;
  readonly timeoutMs?: number;
  readonly maxRetries?: number;
};

export type QuotaRig = {
  readonly simulator: Simulator;
  readonly gateways: readonly StartedGateway[];
  /** Calls a replica, for a consumer; the prompt is in the ledger. */
  call(prompt: string, options?: CallOptions): Promise<Called>;
  /** Prompts of paid calls, in their order, with the deployment, and the time. */
  sent(): readonly { readonly prompt: string; readonly deployment: string; readonly at: number }[];
};

type CallOptions = {
  readonly consumer?: Consumer;
  readonly replica?: number;
  readonly headers?: Record<string, string>;
  readonly body?: object;
};

/** A target of the simulator's, which can be told by its deployment. */
export function target(name: string, deployment: string, more: object = {}): Target {
  return { name, deployment, ...more };
}

/** Replicas on one directory in front of one simulator. */
export async function startQuotaRig({
  targets,
  quotas,
  enforced,
  replicas = 1,
  timeoutMs = 60_000,
  maxRetries = 2,
}: Options) {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1, ...(enforced && { quotas: enforced }) });
  onTestFinished(() => simulator.close());
  const models = {
    quotas,
    models: {
      image: {
        timeoutMs,
        maxRetries,
        targets: targets.map((target) => ({
          provider: 'azure-deployment',
          model: 'gpt-image-2',
          apiVersion: '2025-04-01-preview',
          baseURL: simulator.origin,
          apiKey: simulator.apiKey,
          ...target,
        })),
      },
    },
  };
  const callers = Object.fromEntries(consumers.map((name) => [name, { keys: [{ key: `${name}-key` }] }]));
  const dataDir = await temporaryDirectory();
  const gateways: StartedGateway[] = [];
  for (let index = 0; index < replicas; index += 1) {
    gateways.push(await startGateway(models, { callers, dataDir, times, quotas: quotaTimes }));
  }
  const rig: QuotaRig = {
    simulator,
    gateways,
    call(prompt, { consumer = 'shop', replica = 0, headers = {}, body } = {}) {
      const { url } = gateways[replica] as StartedGateway;
      return callGateway(
        url,
        { model: 'image', prompt, quality: 'low', size: '1024x1024', ...body },
        { headers: { authorization: `Bearer ${consumer}-key`, ...headers } },
      );
    },
    sent: () =>
      simulator.ledger.requests
        .filter(({ method }) => method === 'POST')
        .map(({ body, path, at }) => ({
          prompt: String((body as { prompt?: unknown }).prompt),
          deployment: /deployments\/([^/]+)/.exec(path)?.[1] ?? '',
          at,
        })),
  };
  return rig;
}
