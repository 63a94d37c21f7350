import type { StartedGateway } from '../helpers/start-gateway.ts';
import { healthy } from './fault-script.ts';
import { type FaultServer, type Script, startFaultServer } from './fault-server.ts';
import type { Client } from './matrix.ts';
import type { Mode } from './modes.ts';
import { type Metrics, readMetrics } from './read-metrics.ts';
import type { Reported } from './reported.ts';
import { callWith, type GatewayOptions, leaksIn, type Rest, restOf, startFaultyGateway } from './rig.ts';
import { until } from './until.ts';

export type Setting = {
  readonly mode: Mode;
  readonly client: Client;
  readonly timeoutMs: number;
  /** The targets in the order of their priority. */
  readonly targets: readonly TargetSetting[];
};

export type TargetSetting = {
  readonly script: Script;
  readonly isSecure?: boolean;
  /** Instead of the address of the server that plays the script. */
  readonly address?: string | undefined;
};

export type Observed = {
  readonly gateway: StartedGateway;
  readonly upstreams: readonly FaultServer[];
  readonly response: Reported;
  readonly elapsedMs: number;
  readonly rest: Rest;
  readonly metrics: Metrics;
  readonly leaks: readonly string[];
};

/** Calls once, and gives everything that can be seen of it from outside. */
export async function observe(
  { mode, client, targets, timeoutMs }: Setting,
  options: GatewayOptions,
): Promise<Observed> {
  const { onFinished } = options;
  const upstreams = await Promise.all(
    targets.map(({ script, isSecure = true }) => startFaultServer({ script, isSecure, onFinished })),
  );
  const spare = await startFaultServer({ script: healthy(mode), onFinished });
  const origins = upstreams.map(({ origin }, index) => targets[index]?.address ?? origin);
  const gateway = await startFaultyGateway(mode, { targets: origins, spare: spare.origin }, options);
  const begin = performance.now();
  const response = await callWith(client, gateway.url, {
    mode,
    model: 'image',
    prompt: 'a prompt-canary in a cage',
    timeoutMs,
  });
  const elapsedMs = performance.now() - begin;
  const rest = await restOf(gateway, upstreams);
  const metrics = await until(
    () => readMetrics(gateway.url),
    ({ calls }) => calls > 0,
  );
  const leaks = leaksIn(gateway, metrics.text, response.text);
  return { gateway, upstreams, response, elapsedMs, rest, metrics, leaks };
}
