import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startChild } from '../children.ts';
import { scenarioName } from '../scenario.ts';
import type { Upstream } from '../upstream/start-upstream.ts';
import { bodyFor, type Contestant, jsonType, key, minBytes } from './contestant.ts';
import { freePort } from './free-port.ts';
import { waitForResponse } from './wait-for-response.ts';

const program = fileURLToPath(new URL('../node_modules/@portkey-ai/gateway/build/start-server.js', import.meta.url));

/** The npm build of a known TypeScript gateway, as its documents start it. */
export async function startPeer(upstream: Upstream): Promise<Contestant | undefined> {
  if (!existsSync(program)) return undefined;
  const port = await freePort();
  const child = startChild('contestant', [process.execPath, program, `--port=${port}`, '--headless']);
  const origin = `http://127.0.0.1:${port}`;
  await waitForResponse(child, origin);
  return {
    column: 'peer',
    child,
    call: (scenario) => ({
      url: `${origin}/v1/images/generations`,
      headers: {
        ...jsonType,
        authorization: `Bearer ${key}`,
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': upstream.deployment(scenario),
      },
      body: bodyFor(scenarioName(scenario), scenario),
      minBytes: minBytes(scenario),
    }),
  };
}
