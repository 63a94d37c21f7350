import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { drain } from './api/drain.ts';
import { type App, buildApp } from './app.ts';
import { dotEnvFile, type Environment, readEnvironment } from './config/environment.ts';
import { checkIdentity } from './config/identity.ts';
import { changedVariables, type Variables } from './config/interpolate.ts';
import { loadModels } from './config/load-models.ts';
import { type ModelsConfig, needsTokens } from './config/models-config.ts';
import type { ImageStore } from './domain/image-store.ts';
import { contentOf, createReload, type Prepare } from './reload.ts';
import { createDiskImageStore } from './storage/disk-image-store.ts';
import { createInputSpools, prepareSpoolDirectory } from './storage/disk-input-spool.ts';
import { createLogger } from './telemetry/logger.ts';
import { type EntraTokens, loadEntra } from './upstream/entra.ts';

export type Configuration = {
  readonly environment: Environment;
  readonly models: ModelsConfig;
  /** What both were read from, and what {@link contentOf} says about the files. */
  readonly variables: Variables;
  readonly files: readonly string[];
  readonly content: string;
};

/** Load balancers notice a readiness of 503 within this time. */
const leadMs = 5_000;

/** Throws a ConfigError with every problem of the environment, of the models file, or of the identity that it needs. */
export function readConfiguration(variables: Variables): Configuration {
  const environment = readEnvironment(variables);
  const files = [environment.modelsFile, dotEnvFile()];
  const content = contentOf(files);
  return { environment, models: readModels(environment, variables), variables, files, content };
}

function readModels({ modelsFile }: Environment, variables: Variables): ModelsConfig {
  const models = loadModels(modelsFile, variables);
  if (needsTokens(models)) checkIdentity(variables);
  return models;
}

type Built = { readonly app: App; readonly logger: Logger };

/** Rejects when tokens are needed, and the environment offers no way to them that makes sense. */
export async function buildGateway({ environment, models }: Configuration, store?: ImageStore): Promise<Built> {
  const { logLevel, logPretty, gatewayApiKeys, publicBaseUrl, corsOrigins } = environment;
  const openSpool = createInputSpools(uploadsDirectory(environment));
  const logger = await createLogger({ level: logLevel, isPretty: logPretty });
  const entra = await entraFor(models);
  const parts = { models, gatewayKeys: gatewayApiKeys, logger, store, publicBaseUrl, openSpool, corsOrigins, entra };
  return { app: buildApp(parts), logger };
}

async function entraFor(models: ModelsConfig): Promise<EntraTokens | undefined> {
  return needsTokens(models) ? loadEntra() : undefined;
}

/**
 * Listens until a signal ends the process; resolves with the gateway's own URL once it takes requests.
 *
 * @param readVariables gives the variables as they are then; with it the configuration is replaced at SIGHUP and when its
 *   files change
 */
export async function runGateway(configuration: Configuration, readVariables?: () => Variables): Promise<string> {
  const { host, port, dataDir, gatewayApiKeys } = configuration.environment;
  const store = dataDir === undefined ? undefined : await createDiskImageStore({ directory: dataDir });
  await prepareSpoolDirectory(uploadsDirectory(configuration.environment));
  const { app, logger } = await buildGateway(configuration, store);
  const url = await app.server.listen({ host, port });
  endWithSignals(app, logger, { skip: readVariables ? ['SIGHUP'] : [] });
  app.lifecycle.phase = 'ready';
  logger.info({ host, url, models: app.gateway.catalog.names }, 'listening');
  if (gatewayApiKeys.length === 0) {
    logger.warn('GATEWAY_API_KEYS is not set: every program on this machine may call, and all callers are one');
  }
  if (readVariables) {
    const { lifecycle, recorder } = app;
    const parts = [modelsPart(app, logger, configuration)];
    const isEnding = () => lifecycle.phase !== 'ready';
    const { now, watch } = createReload({ ...configuration, parts, readVariables, recorder, logger, isEnding });
    process.on('SIGHUP', () => void now('SIGHUP'));
    void watch();
  }
  return url;
}

/** What the models file decides. */
function modelsPart(app: App, logger: Logger, { environment, variables: before }: Configuration): Prepare {
  return async (variables) => {
    const models = readModels(environment, variables);
    const others = changedVariables(before, variables, readFileSync(environment.modelsFile, 'utf8'));
    const swap = app.prepare(models, await entraFor(models));
    return () => {
      swap();
      if (others.length > 0) logger.warn({ variables: others }, 'changed in .env: in force after the next start');
    };
  };
}

/** Without a directory of its own the gateway keeps uploads where the system has temporary files. */
function uploadsDirectory({ dataDir }: Environment): string {
  return dataDir === undefined ? tmpdir() : join(dataDir, 'uploads');
}

function endWithSignals(app: App, logger: Logger, { skip }: { skip: 'SIGHUP'[] }): void {
  // The library ends the process at once on a second signal.
  closeWithGrace({ delay: false, logger: false, skip }, async ({ signal, err }) => {
    const { drainMs } = app.models;
    // The drain has a limit of its own. Should it not come to an end all the same:
    setTimeout(() => process.exit(1), leadMs + drainMs + leadMs).unref();
    if (err) logger.fatal({ stack: err.stack }, 'unexpected error, shutting down');
    else logger.info({ signal }, 'draining');
    // Ctrl-C at a terminal has no load balancer to wait for.
    await drain(app, { leadMs: signal === 'SIGTERM' ? leadMs : 0, limitMs: drainMs });
    logger.info('closed');
  });
}
