import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startChild } from '../children.ts';
import { type Scenario, scenarioName } from '../scenario.ts';

export type Upstream = {
  readonly origin: string;
  /** The base URL of the scenario's deployment. */
  deployment(scenario: Scenario): string;
};

/** Starts the upstream, which ends with this program. */
export async function startUpstream(): Promise<Upstream> {
  const program = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = startChild('others', [process.execPath, program]);
  const [origin] = await once(child, 'message');
  return {
    origin: String(origin),
    deployment: (scenario) => `${origin}/openai/deployments/${scenarioName(scenario)}`,
  };
}
