import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startChild } from '../children.ts';
import { scenarioName } from '../scenario.ts';
import type { Upstream } from '../upstream/start-upstream.ts';
import { bodyFor, type Contestant, jsonType, minBytes } from './contestant.ts';
import { startOptions } from './start-options.ts';

/** The bare forwarder, with the Node options of the gateway. */
export async function startFloor(upstream: Upstream): Promise<Contestant> {
  const program = fileURLToPath(new URL('forwarder.ts', import.meta.url));
  const child = startChild('contestant', [process.execPath, ...startOptions, program, upstream.origin]);
  const [origin] = await once(child, 'message');
  return {
    column: 'floor',
    child,
    call: (scenario) => ({
      url: upstream.deployment(scenario).replace(upstream.origin, String(origin)).concat('/images/generations'),
      headers: jsonType,
      body: bodyFor(scenarioName(scenario), scenario),
      minBytes: minBytes(scenario),
    }),
  };
}
