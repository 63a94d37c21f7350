import { scenarioName } from '../scenario.ts';
import type { Upstream } from '../upstream/start-upstream.ts';
import { bodyFor, type Contestant, jsonType, minBytes } from './contestant.ts';

/** The upstream, called directly. */
export function direct(upstream: Upstream): Contestant {
  return {
    column: 'direct',
    child: undefined,
    call: (scenario) => ({
      url: `${upstream.deployment(scenario)}/images/generations?api-version=2025-04-01-preview`,
      headers: jsonType,
      body: bodyFor(scenarioName(scenario), scenario),
      minBytes: minBytes(scenario),
    }),
  };
}
