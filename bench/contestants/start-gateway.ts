import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../children.ts';
import { type Scenario, scenarioName } from '../scenario.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import type { Upstream } from '../upstream/start-upstream.ts';
import { bodyFor, type Contestant, jsonType, key, minBytes } from './contestant.ts';
import { freePort } from './free-port.ts';
import { startOptions } from './start-options.ts';
import { waitForResponse } from './wait-for-response.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

type Options = {
  /** Every one of them becomes a model of the same name. */
  readonly scenarios: readonly Scenario[];
  readonly limits?: Readonly<Record<string, number>>;
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another checkout, built, whose gateway is started instead of this one. */
  readonly before?: string;
  /** Further options for Node, before the program. */
  readonly nodeOptions?: readonly string[];
};

export type Gateway = Contestant & {
  readonly child: ChildProcess;
  readonly origin: string;
  /** The same call with another `response_format`, path, or any other member of the body. */
  callWith(scenario: Scenario, members: object, path?: string): ReturnType<Contestant['call']>;
  /** From the start of the process to the first 200 of `/readyz`. */
  readonly readyMs: number;
};

/** The gateway as `npm start` runs it: with keys, images on disk, and its log on its way to a file. */
export async function startGateway(upstream: Upstream, options: Options): Promise<Gateway> {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'models.json'), JSON.stringify(modelsFile(upstream, options)));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const main = join(resolve(options.before ?? root), 'dist/main.js');
  const begin = performance.now();
  const log = openSync(join(directory, 'gateway.log'), 'w');
  const child = startChild('contestant', [process.execPath, ...startOptions, ...(options.nodeOptions ?? []), main], {
    cwd: directory,
    stdio: ['ignore', log, 'inherit', ...(options.nodeOptions ? (['ipc'] as const) : [])],
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      MODELS_FILE: 'models.json',
      GATEWAY_API_KEYS: key,
      ...options.env,
    },
  });
  closeSync(log);
  await waitForResponse(child, `${origin}/readyz`, { status: 200, pauseMs: 5 });
  const readyMs = performance.now() - begin;
  const callWith: Gateway['callWith'] = (scenario, members, path = '/v1/images/generations') => ({
    url: `${origin}${path}`,
    headers: { ...jsonType, authorization: `Bearer ${key}` },
    body: JSON.stringify({ ...JSON.parse(bodyFor(scenarioName(scenario), scenario)), ...members }),
    minBytes: minBytes(scenario),
  });
  return {
    column: options.before === undefined ? 'gateway' : 'before',
    child,
    origin,
    readyMs,
    callWith,
    call: (scenario) => callWith(scenario, {}),
  };
}

/** Azure's deployments that respond with links are of an older family. */
function modelsFile(upstream: Upstream, { scenarios, limits }: Options): object {
  const models = scenarios.map((scenario) => {
    const name = scenarioName(scenario);
    const target = {
      provider: 'azure-deployment',
      model: scenario.kind === 'link' ? 'dall-e-3' : 'gpt-image-1',
      baseURL: upstream.deployment(scenario),
      apiVersion: '2025-04-01-preview',
      apiKey: 'key-of-the-upstream',
    };
    return [name, target];
  });
  return { models: Object.fromEntries(models), ...(limits && { limits }) };
}
