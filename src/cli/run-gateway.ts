import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import type { DestinationStream, Logger } from 'pino';
import { type App, buildApp } from '../app.ts';
import type { Environment } from '../config/environment.ts';
import type { Variables } from '../config/interpolate.ts';
import type { ImageStore } from '../domain/image-store.ts';
import { drain } from '../http/drain.ts';
import { startMetricsServer } from '../http/metrics-server.ts';
import { claimDirectory } from '../storage/claim-directory.ts';
import { createDiskImageStore } from '../storage/disk-image-store.ts';
import { createInputSpools, prepareSpoolDirectory } from '../storage/disk-input-spool.ts';
import { prepareDirectory } from '../storage/prepare-directory.ts';
import { createLogOutput, type LogOutput } from '../telemetry/log-output.ts';
import { createLogger } from '../telemetry/logger.ts';
import { type Configuration, entraFor, warningsOf } from './configuration.ts';
import { createReload, preparation } from './reload.ts';
import { dependingOn } from './start-failure.ts';

/** Whoever waits for the gateway to be ready has asked by then. */
const settleMs = 1_000;

/** Load balancers notice a readiness of 503 within this time. */
const leadMs = 5_000;

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
  const openSpool = createInputSpools(uploadsDirectory(environment));
  const logger = await createLogger({ level: logLevel, isPretty: logPretty, destination: log });
  const entra = await entraFor(models);
  const parts = { models, consumers: keys.consumers, logger, store, publicBaseUrl, openSpool, corsOrigins, entra };
  return { app: buildApp({ ...parts, trustedProxies }), logger };
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
  await dependingOn(dataDir === undefined ? 'TMPDIR' : 'DATA_DIR', () => prepareSpoolDirectory(uploads));
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
    const prepare = preparation(app, logger, configuration);
    const isEnding = () => lifecycle.phase !== 'ready';
    const { now, watch } = createReload({ ...configuration, prepare, readVariables, recorder, logger, isEnding });
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
