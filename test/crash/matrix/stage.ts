import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '../../../simulator/start-simulator.ts';
import { GatewayProcess, type ProcessOptions } from './gateway-process.ts';
import { HoldingRelay } from './holding-relay.ts';
import { askForJob } from './job-client.ts';
import { type Asking, ask } from './keyed-client.ts';
import { callOf, isJob, type Mode, modelsOf } from './modes.ts';
import type { StoreOptions } from './phases.ts';

type StageOptions = {
  /** The bundled program. */
  readonly entry: string;
  /** Limits of the models file. */
  readonly limits?: object;
  /** Keys of each model. */
  readonly keys?: object;
};

/** A simulated Azure behind a relay, and the directory of the gateways that are started in front of them. */
export class Stage implements AsyncDisposable {
  readonly simulator: Simulator;
  readonly relay: HoldingRelay;
  readonly program: ProcessOptions;
  readonly #gateways: GatewayProcess[] = [];

  private constructor(simulator: Simulator, relay: HoldingRelay, program: ProcessOptions) {
    this.simulator = simulator;
    this.relay = relay;
    this.program = program;
  }

  static async start({ entry, ...models }: StageOptions): Promise<Stage> {
    const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
    const relay = await HoldingRelay.start(simulator.origin);
    const directory = await mkdtemp(join(tmpdir(), 'crash-'));
    return new Stage(simulator, relay, { entry, directory, models: modelsOf(relay.origin, models) });
  }

  /** All of them have the same DATA_DIR. */
  async startGateway(stores: StoreOptions = {}, fileBlocks?: number): Promise<GatewayProcess> {
    const limit = fileBlocks === undefined ? {} : { fileBlocks };
    const gateway = await GatewayProcess.start({ ...this.program, stores, ...limit });
    this.#gateways.push(gateway);
    return gateway;
  }

  /** How many calls with this prompt are billed. */
  billed(prompt: string): number {
    return this.simulator.ledger.generations.filter((billed) => billed.prompt === prompt).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gateway of this.#gateways) await gateway[Symbol.asyncDispose]();
    await this.relay[Symbol.asyncDispose]();
    await this.simulator.close();
    await rm(this.program.directory, { recursive: true, force: true });
  }
}

/**
 * Sends the request of a mode under a key, and follows what is a job to its images. Without a key it says that it is a retry,
 * and follows nothing.
 */
export function send({ url }: { readonly url: string }, mode: Mode, prompt: string, key: string | undefined): Asking {
  const call = callOf(mode, prompt);
  if (key === undefined) return ask(url, call, { 'x-stainless-retry-count': '1' });
  return isJob(mode) ? askForJob(url, mode, call, key) : ask(url, call, { 'idempotency-key': key });
}
