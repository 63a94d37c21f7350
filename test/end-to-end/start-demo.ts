import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** Where the documents have what `npm run demo` starts. */
const documented = { gateway: 'http://localhost:8866', simulator: 'http://127.0.0.1:8867' };

export type Demo = {
  readonly url: string;
  readonly simulator: Simulator;
  /** An example of a document, with the addresses of this demo. */
  here(example: string): string;
};

/** What `npm run demo` starts, on free ports and in this process. It ends with the test. */
export async function startDemo(): Promise<Demo> {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1, projectKeys: true });
  onTestFinished(() => simulator.close());
  const file = readFileSync(new URL('../../config/models.demo.json', import.meta.url), 'utf8');
  const models = JSON.parse(file.replaceAll(/\$\{SIMULATOR_URL[^}]*\}/g, simulator.origin)) as object;
  const dataDir = await temporaryDirectory();
  const gateway = await startGateway(models, { keys: ['demo-key'], dataDir, times: { backoffMs: 1 } });
  return {
    url: gateway.url,
    simulator,
    here: (example) =>
      example.replaceAll(documented.gateway, gateway.url).replaceAll(documented.simulator, simulator.origin),
  };
}
