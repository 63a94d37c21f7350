import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import type { DestinationStream, Logger } from 'pino';
import { type App, type AppParts, buildApp, type Stores } from '../app.ts';
import type { Environment } from '../config/environment.ts';
import type { Variables } from '../config/interpolate.ts';
import { drain } from '../http/lifecycle.ts';
import { startMetricsServer } from '../http/metrics-endpoints.ts';
import { createTemporaryInputStores, prepareInputDirectory } from '../storage/temporary-input-store.ts';
import { createLogger, createLogOutput, type LogOutput } from '../telemetry/logger.ts';
import { type Configuration, entraFor, warningsOf } from './configuration.ts';
import { openStores } from './open-stores.ts';
import { createReload, preparation } from './reload.ts';
import { dependingOn } from './start-failure.ts';

/** Time after the start when readiness checks have passed and memory can be collected. */
const settleMs = 1_000;

/** Time for load balancers to notice that /readyz is 503. */
const leadMs = 5_000;

type Built = { readonly app: App; readonly logger: Logger };

type Outside = { readonly stores?: Stores; readonly log?: DestinationStream; readonly sharp?: AppParts['sharp'] };

type RunOptions = {
  /** Reads the current variables; with it, the configuration is reloaded on SIGHUP and when a file changes. */
  readonly readVariables?: () => Variables;
  /** Opens the stores; replaced in tests. */
  readonly open?: typeof openStores;
  readonly sharp?: AppParts['sharp'];
};

const nowhere: DestinationStream = { write() {} };

/**
 * Builds the gateway without listening. Rejects when a target needs Entra ID tokens and the environment offers no source of them.
 *
 * @param outside where jobs and images are kept, by default as long as the process lives, and where the log goes, by default nowhere
 */
export async function buildGateway(
  { environment, models, keys }: Configuration,
  { stores, log = nowhere, sharp }: Outside = {},
): Promise<Built> {
  const { logLevel, logPretty, publicBaseUrl, corsOrigins, trustedProxies } = environment;
  const openInputs = createTemporaryInputStores(uploadsDirectory(environment));
  const logger = await createLogger({ level: logLevel, isPretty: logPretty, destination: log });
  const entra = await entraFor(models);
  const parts = { models, consumers: keys.consumers, logger, publicBaseUrl, openInputs, corsOrigins, entra, sharp };
  const opened = stores ?? (await openStores({ dataDir: undefined }, models));
  return { app: buildApp({ ...parts, stores: opened, trustedProxies }), logger };
}

/** Listens until a signal ends the process. Resolves with the gateway's URL once it is ready. */
export async function runGateway(
  configuration: Configuration,
  { readVariables, open = openStores, sharp }: RunOptions = {},
): Promise<string> {
  const { host, port, metricsPort, dataDir } = configuration.environment;
  const { models } = configuration;
  const directory = dataDir === undefined ? 'TMPDIR' : 'DATA_DIR';
  const stores = await dependingOn(directory, () => open(configuration.environment, models));
  const uploads = uploadsDirectory(configuration.environment);
  await dependingOn(directory, () => prepareInputDirectory(uploads));
  const log = createLogOutput();
  const { app, logger } = await buildGateway(configuration, { stores, log, sharp });
  await app.recover();
  const url = await dependingOn('PORT', () => app.server.listen({ host, port }));
  const metricsUrl = metricsPort === undefined ? undefined : await serveMetrics(app, { host, port: metricsPort });
  endWithSignals({ app, logger, log }, { skip: readVariables ? ['SIGHUP'] : [] });
  app.lifecycle.phase = 'ready';
  logger.info({ host, url, metricsUrl, models: app.gateway.catalog.names }, 'listening');
  for (const warning of warningsOf(configuration)) logger.warn(warning);
  if (!stores.areDurable) {
    const { lingerMs } = models.limits;
    logger.warn(
      `DATA_DIR is empty: a restart loses what is running, and an Idempotency-Key holds for ${lingerMs / 1_000} s only`,
    );
  }
  if (app.keyStore.isOpen) {
    const reason = 'GATEWAY_API_KEYS is not set, and there is no keys file';
    logger.warn(
      `authentication is off (${reason}): every program on this machine can call, and all share one identity`,
    );
  }
  setTimeout(forgetStart, settleMs).unref();
  if (readVariables) {
    const { lifecycle, recorder } = app;
    const prepare = preparation(app, logger, configuration);
    const isEnding = () => lifecycle.phase !== 'ready';
    const { now, watch } = createReload({ ...configuration, prepare, readVariables, recorder, logger, isEnding });
    process.on('SIGHUP', () => void now('SIGHUP'));
    void watch();
  }
  return url;
}

/** Collects the garbage of the start, which keeps an idle process 15 MB smaller. Takes 50 ms and needs `--expose-gc`. */
function forgetStart(): void {
  globalThis.gc?.({ type: 'major', flavor: 'last-resort' });
}

/** Serves metrics until the process ends, also while it drains. */
async function serveMetrics(app: App, at: { readonly host: string; readonly port: number }): Promise<string> {
  try {
    const server = await dependingOn('METRICS_PORT', () => startMetricsServer(app.metrics, at));
    return `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${(server.address() as AddressInfo).port}/metrics`;
  } catch (error) {
    // Without this the process would keep running after a failed start.
    await app.server.close();
    throw error;
  }
}

/** Uploads go to the system's temporary directory when DATA_DIR is empty. */
function uploadsDirectory({ dataDir }: Environment): string {
  return dataDir === undefined ? tmpdir() : join(dataDir, 'uploads');
}

function endWithSignals(
  { app, logger, log }: Built & { readonly log: LogOutput },
  { skip }: { skip: 'SIGHUP'[] },
): void {
  closeWithGrace({ delay: false, logger: false, skip }, async ({ signal, err }) => {
    const { drainMs } = app.models;
    // A last resort in case the drain does not respect its own limit.
    setTimeout(() => process.exit(1), leadMs + drainMs + leadMs).unref();
    const hurry = hurryAtSecondSignal();
    hurry.addEventListener('abort', () =>
      logger.warn({ signal: hurry.reason }, 'second signal: aborting requests in flight'),
    );
    if (err) logger.fatal({ stack: err.stack }, 'unexpected error, shutting down');
    else logger.info({ signal }, 'draining');
    // After Ctrl-C there is no load balancer to wait for.
    await drain(app, { leadMs: signal === 'SIGTERM' ? leadMs : 0, limitMs: drainMs, hurry });
    logger.info('closed');
    await log.end();
    if (hurry.aborted) process.exit(1);
  });
}

/**
 * Aborted by the second SIGTERM or SIGINT; a third one exits at once. close-with-grace would exit at the second one: clients whose
 * images may be billed would see a connection reset, and many would retry and pay twice.
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
