import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QuotaOptions } from '../../simulator/quota.ts';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { GatewayProcess } from '../crash/matrix/gateway-process.ts';
import { HoldingRelay } from '../crash/matrix/holding-relay.ts';
import { modelsOf } from '../crash/matrix/modes.ts';
import type { StoreOptions } from '../crash/matrix/phases.ts';
import { sharedStores } from '../storage/sql/create-job-store.ts';

type ReplicaOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly stores?: StoreOptions;
};

type SetOptions = {
  /** Keys of each model, and limits of the models file. */
  readonly keys?: object;
  readonly limits?: object;
  /** Quota pools of the models file, and what the simulated Azure allows. */
  readonly quotas?: object;
  readonly enforced?: readonly QuotaOptions[];
  /** The callers of the keys file. */
  readonly callers?: object;
  /** Instead of the server that all tests share. */
  readonly jobsUrl?: string;
};

/** Shorter than in production, so that others answer soon for a gateway that was killed. */
export const shortLease = { validMs: 4_000, renewEveryMs: 500 };

/** Gateways that share a database, in front of a simulated Azure behind a relay. */
export class Replicas implements AsyncDisposable {
  readonly simulator: Simulator;
  readonly relay: HoldingRelay;
  readonly #directory: string;
  readonly #options: SetOptions;
  readonly #entry: string;
  readonly #ended = new AsyncDisposableStack();

  private constructor(
    simulator: Simulator,
    relay: HoldingRelay,
    place: { readonly entry: string; readonly directory: string },
    options: SetOptions,
  ) {
    this.simulator = simulator;
    this.relay = relay;
    this.#entry = place.entry;
    this.#directory = place.directory;
    this.#options = options;
  }

  static async prepare(entry: string, options: SetOptions = {}): Promise<Replicas> {
    const simulator = await startSimulator({
      ...{ operationMs: 5, partialMs: 1 },
      ...(options.enforced && { quotas: options.enforced }),
    });
    const relay = await HoldingRelay.start(simulator.origin);
    const directory = await mkdtemp(join(tmpdir(), 'scale-'));
    return new Replicas(simulator, relay, { entry, directory }, options);
  }

  /** Shorter leases than in production: others answer soon for one that was killed. */
  async start({
    env,
    stores = { lease: { validMs: 2_000, renewEveryMs: 400 } },
  }: ReplicaOptions = {}): Promise<GatewayProcess> {
    const { keys, limits, callers, quotas } = this.#options;
    const gateway = await GatewayProcess.start({
      entry: this.#entry,
      directory: this.#directory,
      models: {
        ...modelsOf(this.relay.origin, { ...(keys && { keys }), ...(limits && { limits }) }),
        ...(quotas && { quotas }),
      },
      stores,
      env: {
        ...sharedStores(this.#directory, this.#options.jobsUrl),
        ...(callers && (await this.#withCallers(callers))),
        ...env,
      },
    });
    this.#ended.use(gateway);
    return gateway;
  }

  async #withCallers(callers: object) {
    const KEYS_FILE = join(this.#directory, 'keys.json');
    await writeFile(KEYS_FILE, JSON.stringify({ callers }));
    return { KEYS_FILE };
  }

  /** How many calls with this prompt are billed. */
  billed(prompt: string): number {
    return this.simulator.ledger.generations.filter((billed) => billed.prompt === prompt).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ended.disposeAsync();
    await this.relay[Symbol.asyncDispose]();
    await this.simulator.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
