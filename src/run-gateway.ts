import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { drain } from './api/drain.ts';
import { startMetricsServer } from './api/metrics-server.ts';
import { type App, buildApp } from './app.ts';
import { type Environment, readEnvironment } from './config/environment.ts';
import { checkIdentity } from './config/identity.ts';
import type { Variables } from './config/interpolate.ts';
import { type KeysConfig, loadKeys } from './config/load-keys.ts';
import { loadModels } from './config/load-models.ts';
import { type ModelsConfig, needsTokens } from './config/models-config.ts';
import { checkTlsVerification } from './config/tls-verification.ts';
import type { ImageStore } from './domain/image-store.ts';
import { createDiskImageStore } from './storage/disk-image-store.ts';
import { createInputSpools, prepareSpoolDirectory } from './storage/disk-input-spool.ts';
import { createLogger } from './telemetry/logger.ts';
import { loadEntra } from './upstream/entra.ts';

export type Configuration = {
  readonly environment: Environment;
  readonly models: ModelsConfig;
  readonly keys: KeysConfig;
};

/** Load balancers notice a readiness of 503 within this time. */
const leadMs = 5_000;

/**
 * Throws a ConfigError with every problem of the environment, of the models file, of the keys file, or of the identity
 * that it needs.
 */
export function readConfiguration(variables: Variables): Configuration {
  const environment = readEnvironment(variables);
  checkTlsVerification(variables);
  const models = loadModels(environment.modelsFile, variables);
  if (needsTokens(models)) checkIdentity(variables);
  return { environment, models, keys: loadKeys(environment, variables, models) };
}

type Built = { readonly app: App; readonly logger: Logger };

/** Rejects when tokens are needed, and the environment offers no way to them that makes sense. */
export async function buildGateway({ environment, models, keys }: Configuration, store?: ImageStore): Promise<Built> {
  const { logLevel, logPretty, publicBaseUrl, corsOrigins, trustedProxies } = environment;
  const openSpool = createInputSpools(uploadsDirectory(environment));
  const logger = await createLogger({ level: logLevel, isPretty: logPretty });
  const entra = needsTokens(models) ? await loadEntra() : undefined;
  const parts = { models, keyHolders: keys.holders, logger, store, publicBaseUrl, openSpool, corsOrigins, entra };
  return { app: buildApp({ ...parts, trustedProxies }), logger };
}

/** Listens until a signal ends the process; resolves with the gateway's own URL once it takes requests. */
export async function runGateway(configuration: Configuration): Promise<string> {
  const { host, port, metricsPort, dataDir } = configuration.environment;
  const { drainMs } = configuration.models;
  const store = dataDir === undefined ? undefined : await createDiskImageStore({ directory: dataDir });
  await prepareSpoolDirectory(uploadsDirectory(configuration.environment));
  const { app, logger } = await buildGateway(configuration, store);
  const url = await app.server.listen({ host, port });
  const metricsUrl = metricsPort === undefined ? undefined : await serveMetrics(app, { host, port: metricsPort });
  endWithSignals(app, logger, drainMs);
  app.lifecycle.phase = 'ready';
  logger.info({ host, url, metricsUrl, models: app.gateway.catalog.names }, 'listening');
  for (const warning of configuration.keys.warnings) logger.warn(warning);
  if (app.keyRing.isOpen) {
    const reason = 'GATEWAY_API_KEYS is not set, and there is no keys file';
    logger.warn(`${reason}: every program on this machine may call, and all callers are one`);
  }
  return url;
}

/** Until the end of the process: the last figures are of interest, too. */
async function serveMetrics(app: App, at: { readonly host: string; readonly port: number }): Promise<string> {
  try {
    const server = await startMetricsServer(app.metrics, at);
    return `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${(server.address() as AddressInfo).port}/metrics`;
  } catch (error) {
    // The process is to end with its start.
    await app.server.close();
    throw error;
  }
}

/** Without a directory of its own the gateway keeps uploads where the system has temporary files. */
function uploadsDirectory({ dataDir }: Environment): string {
  return dataDir === undefined ? tmpdir() : join(dataDir, 'uploads');
}

function endWithSignals(app: App, logger: Logger, drainMs: number): void {
  // The library ends the process at once on a second signal, and when the drain does not end within `delay`.
  closeWithGrace({ delay: leadMs + drainMs + leadMs, logger: false }, async ({ signal, err }) => {
    if (err) logger.fatal({ stack: err.stack }, 'unexpected error, shutting down');
    else logger.info({ signal }, 'draining');
    // Ctrl-C at a terminal has no load balancer to wait for.
    await drain(app, { leadMs: signal === 'SIGTERM' ? leadMs : 0, limitMs: drainMs });
    logger.info('closed');
  });
}
