import { tmpdir } from 'node:os';
import { onTestFinished } from 'vitest';
import { type App, type AppParts, buildApp, type Stores } from '../../src/app.ts';
import { openStores } from '../../src/cli/open-stores.ts';
import { consumersOf, parseKeys } from '../../src/config/load-keys.ts';
import type { ModelsConfig } from '../../src/config/models-config.ts';
import type { Consumer } from '../../src/domain/consumer.ts';
import type { ImageStore } from '../../src/domain/image-store.ts';
import type { ObjectStorage } from '../../src/domain/object-storage.ts';
import { Secret } from '../../src/domain/secret.ts';
import type { QuotaTimes } from '../../src/storage/sql/sql-quota-pools.ts';
import { createTemporaryInputStores } from '../../src/storage/temporary-input-store.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { parseModels } from './parse-models.ts';
import { SecretWatch } from './search-secrets.ts';

export const gatewayKey = 'gateway-key-canary';

export type StartedGateway = {
  readonly url: string;
  readonly app: App;
  readonly stores: Stores;
  /** Every line that the gateway has logged, parsed. */
  readonly log: Record<string, unknown>[];
  /** The same as text, to search for what must not be there. */
  logText(): string;
};

type Options = {
  readonly keys?: readonly string[];
  /** `callers` of a keys file. */
  readonly callers?: object;
  /** Where images are hosted; jobs are in memory then. */
  readonly store?: ImageStore;
  /** Where jobs and images are kept; by default as long as the gateway lives. */
  readonly dataDir?: string;
  /** Where images are stored for several gateways. */
  readonly objectStorage?: ObjectStorage;
  /** Puts something between the gateway and its stores, such as a failure. */
  readonly changeStores?: (stores: Stores) => Stores;
  /** How long things take in quota pools. */
  readonly quotas?: Partial<QuotaTimes>;
  readonly publicBaseUrl?: string;
  /** Where uploads go; by default where the system has temporary files. */
  readonly uploads?: string;
  /** How much of the disk they may have together. */
  readonly uploadsBytes?: number;
  readonly uploadGraceMs?: number;
  readonly corsOrigins?: readonly string[];
  readonly trustedProxies?: readonly string[];
  /** Where it listens; it is called over loopback all the same. */
  readonly host?: string;
  readonly times?: AppParts['times'];
  /** The time of day. */
  readonly now?: () => number;
  readonly upstreamTimes?: AppParts['upstreamTimes'];
  /** The way to tokens, for targets that need one. */
  readonly entra?: AppParts['entra'];
  readonly providers?: AppParts['providers'];
  /** By default shared with the simulator. */
  readonly sharp?: AppParts['sharp'];
  /** Adds routes of the test. */
  readonly extend?: (server: App['server']) => void;
  /** Concurrent tests say themselves when they have finished. */
  readonly onFinished?: typeof onTestFinished;
};

/**
 * The real gateway on a free port, with this models file's content; it is closed when the test ends, and its image store
 * with it. Callers need `gatewayKey`, unless `keys` says otherwise. At the end its log, metrics and errors are searched for
 * secrets.
 */
export async function startGateway(models: object, options: Options = {}): Promise<StartedGateway> {
  const { keys = [gatewayKey], store, publicBaseUrl, host = '127.0.0.1', uploads = tmpdir() } = options;
  const config = parseModels(JSON.stringify(models), {}, undefined, undefined, options.providers);
  const lines: string[] = [];
  const logger = await createLogger({
    level: 'debug',
    isPretty: false,
    destination: { write: (line) => void lines.push(line) },
  });
  const secrets = new SecretWatch(keys, models);
  const limits = { ...config, limits: { ...config.limits, ...pick(options.times) } };
  const stores = await openStores(
    { dataDir: options.dataDir, objectStorage: options.objectStorage },
    limits,
    options.quotas && { jobs: { quotas: options.quotas } },
  );
  if (store) await stores.images.close();
  const hosted = store ? { ...stores, images: store, areDurable: true } : stores;
  const app = buildApp({
    models: config,
    ...(options.providers && { providers: options.providers }),
    consumers: [...consumersOf(keys.map((key) => new Secret(key))), ...callersIn(options.callers, config)],
    logger,
    stores: options.changeStores?.(hosted) ?? hosted,
    publicBaseUrl,
    openInputs: createTemporaryInputStores(uploads, options.uploadsBytes),
    ...(options.uploadGraceMs !== undefined && { uploadGraceMs: options.uploadGraceMs }),
    ...(options.corsOrigins && { corsOrigins: options.corsOrigins }),
    ...(options.times && { times: options.times }),
    ...(options.now && { now: options.now }),
    ...(options.upstreamTimes && { upstreamTimes: options.upstreamTimes }),
    entra: secrets.remembering(options.entra),
    trustedProxies: options.trustedProxies ?? [],
    sharp: options.sharp ?? 'shared',
  });
  secrets.listenTo(app.server);
  options.extend?.(app.server);
  await app.recover();
  const address = new URL(await app.server.listen({ host, port: 0 }));
  const url = `http://127.0.0.1:${address.port}`;
  app.lifecycle.phase = 'ready';
  (options.onFinished ?? onTestFinished)(async () => {
    const metrics = await app.metrics().finally(async () => {
      app.server.server.closeAllConnections();
      await app.server.close();
    });
    secrets.expectNoneIn({ log: lines.join(''), metrics });
  });
  return {
    url,
    app,
    stores: hosted,
    get log() {
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    logText: () => lines.join(''),
  };
}

/** Times that tests shorten count for what is kept in memory, too. */
function pick(times: AppParts['times'] = {}): { lingerMs?: number } {
  return times.lingerMs === undefined ? {} : { lingerMs: times.lingerMs };
}

/** Callers as a keys file has them. */
export function callersIn(
  callers: object | undefined,
  models: Pick<ModelsConfig, 'models' | 'aliases'> & Partial<Pick<ModelsConfig, 'currency' | 'prices'>>,
): readonly Consumer[] {
  if (callers === undefined) return [];
  return parseKeys(JSON.stringify({ callers }), {
    variables: {},
    models: { currency: 'USD', prices: new Map(), ...models },
  }).consumers;
}

/** A models file with one model `image` behind one target. */
export function oneTarget(target: Record<string, unknown>): object {
  return { models: { image: target } };
}
