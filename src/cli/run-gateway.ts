import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import type { DestinationStream, Logger } from 'pino';
import { type App, buildApp, providers } from '../app.ts';
import { ConfigError } from '../config/config-error.ts';
import { dotEnvFile, type Environment, keysFileOf, modelsFileOf, readEnvironment } from '../config/environment.ts';
import { checkIdentity } from '../config/identity.ts';
import { changedVariables, referredNames, type Variables } from '../config/interpolate.ts';
import { hasKeys } from '../config/keys-file.ts';
import { type KeysConfig, loadKeys } from '../config/load-keys.ts';
import { loadModels } from '../config/load-models.ts';
import { type ModelsConfig, needsTokens } from '../config/models-config.ts';
import { checkTlsVerification } from '../config/tls-verification.ts';
import { isSameProxy } from '../domain/egress-proxy.ts';
import type { ImageStore } from '../domain/image-store.ts';
import { drain } from '../http/lifecycle.ts';
import { startMetricsServer } from '../http/metrics-endpoints.ts';
import { claimDirectory, prepareDirectory } from '../storage/data-directory.ts';
import { createDiskImageStore } from '../storage/disk-image-store.ts';
import { createTemporaryInputStores, prepareInputDirectory } from '../storage/temporary-input-store.ts';
import { createLogger, createLogOutput, type LogOutput } from '../telemetry/logger.ts';
import { type EntraTokens, loadEntra } from '../upstream/entra.ts';
import { dependingOn } from './describe-start-failure.ts';
import { contentOf, createReload, type Prepare } from './reload.ts';
import { reviewDefaults } from './review-defaults.ts';
import { reviewTarget } from './review-target.ts';

export type Configuration = {
  readonly environment: Environment;
  readonly models: ModelsConfig;
  readonly keys: KeysConfig;
  /** What all of it was read from, and what {@link contentOf} says about the files. */
  readonly variables: Variables;
  readonly files: readonly string[];
  readonly content: string;
};

/** Whoever waits for the gateway to be ready has asked by then. */
const settleMs = 1_000;

/** Load balancers notice a readiness of 503 within this time. */
const leadMs = 5_000;

/**
 * Throws a ConfigError with every problem of the environment, of the models file, of the keys file, or of the identity
 * that it needs; an AggregateError of several such.
 */
export function readConfiguration(variables: Variables): Configuration {
  const failures: unknown[] = [];
  const configs = configFiles({ modelsFile: modelsFileOf(variables), keysFile: keysFileOf(variables) });
  const environment = attempt(failures, () =>
    readEnvironment(variables, referredNames(configs.map(textOf).join('\n'))),
  );
  attempt(failures, () => checkTlsVerification(variables));
  const files = [...configs, dotEnvFile()];
  const content = contentOf(files);
  const models = attempt(failures, () => readModels(modelsFileOf(variables), variables));
  const keys = environment && models && attempt(failures, () => loadKeys(environment, variables, models));
  if (environment === undefined || models === undefined || keys === undefined || failures.length > 0) {
    throw failures.length === 1 ? failures[0] : new AggregateError(failures);
  }
  return { environment, models, keys, variables, files, content };
}

/** Takes note of a failure, so that what is wrong elsewhere is reported with it. */
function attempt<T>(failures: unknown[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    failures.push(error);
    return undefined;
  }
}

/** What the operator should see to although it is allowed, one line each. */
export function warningsOf({ environment, models, keys }: Configuration): readonly string[] {
  const isOpenToPages = keys.consumers.length === 0 && environment.corsOrigins.includes('*');
  return [...environment.warnings, ...(isOpenToPages ? [openToPages] : []), ...models.warnings, ...keys.warnings];
}

const openToPages =
  'the environment: CORS_ORIGINS: without gateway keys, * lets every web page that is opened on this machine ask for images: list the origins, or set GATEWAY_API_KEYS';

function configFiles({ modelsFile, keysFile }: Pick<Environment, 'modelsFile' | 'keysFile'>): string[] {
  return keysFile === undefined ? [modelsFile] : [modelsFile, keysFile];
}

/** A file that cannot be read is a problem of whoever has to read it. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function readModels(file: string, variables: Variables): ModelsConfig {
  const models = loadModels(file, variables, providers, { target: reviewTarget, defaults: reviewDefaults });
  if (needsTokens(models)) checkIdentity(variables);
  return models;
}

type Built = { readonly app: App; readonly logger: Logger };

type Outside = { readonly store?: ImageStore | undefined; readonly log?: DestinationStream };

const nowhere: DestinationStream = { write() {} };

/**
 * Rejects when tokens are needed, and the environment offers no way to them that makes sense.
 *
 * @param outside where images are hosted and the log goes; by default nowhere
 */
export async function buildGateway(
  { environment, models, keys }: Configuration,
  { store, log = nowhere }: Outside = {},
): Promise<Built> {
  const { logLevel, logPretty, publicBaseUrl, corsOrigins, trustedProxies } = environment;
  const openInputs = createTemporaryInputStores(uploadsDirectory(environment));
  const logger = await createLogger({ level: logLevel, isPretty: logPretty, destination: log });
  const entra = await entraFor(models);
  const parts = { models, consumers: keys.consumers, logger, store, publicBaseUrl, openInputs, corsOrigins, entra };
  return { app: buildApp({ ...parts, trustedProxies }), logger };
}

/** The way to tokens, where a target needs one. Rejects when the environment offers none that makes sense. */
export async function entraFor(models: ModelsConfig): Promise<EntraTokens | undefined> {
  return needsTokens(models) ? loadEntra() : undefined;
}

/**
 * Listens until a signal ends the process; resolves with the gateway's own URL once it takes requests.
 *
 * @param readVariables gives the variables as they are then; with it the configuration is replaced at SIGHUP and when its
 *   files change
 */
export async function runGateway(configuration: Configuration, readVariables?: () => Variables): Promise<string> {
  const { host, port, metricsPort, dataDir } = configuration.environment;
  const opened = dataDir === undefined ? undefined : await dependingOn('DATA_DIR', () => openStore(dataDir));
  const uploads = uploadsDirectory(configuration.environment);
  await dependingOn(dataDir === undefined ? 'TMPDIR' : 'DATA_DIR', () => prepareInputDirectory(uploads));
  const log = createLogOutput();
  const { app, logger } = await buildGateway(configuration, { store: opened?.store, log });
  const url = await dependingOn('PORT', () => app.server.listen({ host, port }));
  const metricsUrl = metricsPort === undefined ? undefined : await serveMetrics(app, { host, port: metricsPort });
  endWithSignals({ app, logger, log }, { skip: readVariables ? ['SIGHUP'] : [] });
  app.lifecycle.phase = 'ready';
  logger.info({ host, url, metricsUrl, models: app.gateway.catalog.names }, 'listening');
  for (const warning of warningsOf(configuration)) logger.warn(warning);
  if (opened?.unclaimed) {
    logger.warn(`DATA_DIR cannot be claimed (${opened.unclaimed}): nothing keeps a second gateway out of it`);
  }
  if (app.keyStore.isOpen) {
    const reason = 'GATEWAY_API_KEYS is not set, and there is no keys file';
    logger.warn(`${reason}: every program on this machine may call, and all callers are one`);
  }
  setTimeout(forgetStart, settleMs).unref();
  if (readVariables) {
    const { lifecycle, recorder } = app;
    const parts = [filesPart(app, logger, configuration)];
    const isEnding = () => lifecycle.phase !== 'ready';
    const { now, watch } = createReload({ ...configuration, parts, readVariables, recorder, logger, isEnding });
    process.on('SIGHUP', () => void now('SIGHUP'));
    void watch();
  }
  return url;
}

/** The code of the system says why the directory could not be claimed. */
type OpenedStore = { readonly store: ImageStore; readonly unclaimed: string | undefined };

/** The images of two processes in one directory would be links that only one of them knows, and double its limit. */
async function openStore(directory: string): Promise<OpenedStore> {
  await prepareDirectory(directory);
  const unclaimed = await claimDirectory(directory);
  return { store: await createDiskImageStore({ directory }), unclaimed };
}

/** A start leaves a lot behind: at rest the process is 15 MB smaller without. Takes 50 ms, and Node's `--expose-gc`. */
function forgetStart(): void {
  globalThis.gc?.({ type: 'major', flavor: 'last-resort' });
}

/** Until the end of the process: the last figures are of interest, too. */
async function serveMetrics(app: App, at: { readonly host: string; readonly port: number }): Promise<string> {
  try {
    const server = await dependingOn('METRICS_PORT', () => startMetricsServer(app.metrics, at));
    return `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${(server.address() as AddressInfo).port}/metrics`;
  } catch (error) {
    // The process is to end with its start.
    await app.server.close();
    throw error;
  }
}

/** What the models file and the keys file decide: all of it together, because keys name models. */
function filesPart(app: App, logger: Logger, start: Configuration): Prepare {
  const { environment } = start;
  let told = warningsOf(start);
  return async (variables) => {
    const models = readModels(environment.modelsFile, variables);
    // Keys name models: both are read together.
    const keys = loadKeys(environment, variables, models);
    const warnings = warningsOf({ ...start, models, keys });
    if (keys.consumers.length === 0 && !app.keyStore.isOpen) throw nobodyLeft(environment);
    // The usual keys file need not exist.
    const texts = configFiles(environment)
      .filter(hasKeys)
      .map((file) => readFileSync(file, 'utf8'));
    const others = changedVariables(start.variables, variables, texts.join('\n'));
    const swap = app.prepare(models, await entraFor(models));
    return () => {
      swap();
      app.keyStore.replace(keys.consumers);
      for (const warning of warnings) if (!told.includes(warning)) logger.warn(warning);
      told = warnings;
      if (others.length > 0) logger.warn({ variables: others }, 'changed in .env: in force after the next start');
      if (!isSameProxy(start.models.egressProxy, models.egressProxy)) {
        logger.warn('egressProxy has changed: in force after the next start');
      }
    };
  };
}

/** A gateway that has asked for keys would refuse everybody from now on, and the next start would let everybody in. */
function nobodyLeft({ keysFile = 'the keys file' }: Environment): ConfigError {
  const message = 'the file does not exist any more, and GATEWAY_API_KEYS is not set: nobody could call';
  return new ConfigError(keysFile, [{ path: '', message }]);
}

/** Without a directory of its own the gateway keeps uploads where the system has temporary files. */
function uploadsDirectory({ dataDir }: Environment): string {
  return dataDir === undefined ? tmpdir() : join(dataDir, 'uploads');
}

function endWithSignals(
  { app, logger, log }: Built & { readonly log: LogOutput },
  { skip }: { skip: 'SIGHUP'[] },
): void {
  closeWithGrace({ delay: false, logger: false, skip }, async ({ signal, err }) => {
    const { drainMs } = app.models;
    // The drain has a limit of its own. Should it not come to an end all the same:
    setTimeout(() => process.exit(1), leadMs + drainMs + leadMs).unref();
    const hurry = hurryAtSecondSignal();
    hurry.addEventListener('abort', () =>
      logger.warn({ signal: hurry.reason }, 'second signal: ending what is running'),
    );
    if (err) logger.fatal({ stack: err.stack }, 'unexpected error, shutting down');
    else logger.info({ signal }, 'draining');
    // Ctrl-C at a terminal has no load balancer to wait for.
    await drain(app, { leadMs: signal === 'SIGTERM' ? leadMs : 0, limitMs: drainMs, hurry });
    logger.info('closed');
    await log.end();
    if (hurry.aborted) process.exit(1);
  });
}

/**
 * Aborted by the second signal that ends the process; a third one ends it at once. The library would do that at the
 * second one: callers whose images may be billed would see a reset, and many clients would buy them again.
 */
function hurryAtSecondSignal(): AbortSignal {
  const hurry = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT']) {
    process.removeAllListeners(name).on(name, () => {
      if (hurry.signal.aborted) process.exit(1);
      hurry.abort(name);
    });
  }
  return hurry.signal;
}
