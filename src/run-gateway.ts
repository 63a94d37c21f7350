import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { drain } from './api/drain.ts';
import { type App, buildApp } from './app.ts';
import { ConfigError } from './config/config-error.ts';
import { type Environment, readEnvironment } from './config/environment.ts';
import type { Variables } from './config/interpolate.ts';
import { loadModels } from './config/load-models.ts';
import type { ModelsConfig } from './config/models-config.ts';
import { createLogger } from './telemetry/logger.ts';

export type Configuration = { readonly environment: Environment; readonly models: ModelsConfig };

/** Load balancers notice a readiness of 503 within this time. */
const leadMs = 5_000;

/** Throws a ConfigError with every problem of the environment, or of the models file. */
export function readConfiguration(variables: Variables): Configuration {
  const environment = readEnvironment(variables);
  return { environment, models: loadModels(environment.modelsFile, variables) };
}

export function buildGateway({ environment, models }: Configuration): { app: App; logger: Logger } {
  const logger = createLogger({ level: environment.logLevel, isPretty: environment.logPretty });
  return { app: buildApp({ models, gatewayKeys: environment.gatewayApiKeys, logger }), logger };
}

/** Listens until a signal ends the process; resolves with the gateway's own URL once it takes requests. */
export async function runGateway(configuration: Configuration): Promise<string> {
  const { host, port, gatewayApiKeys } = configuration.environment;
  const { drainMs } = configuration.models;
  const { app, logger } = buildGateway(configuration);
  const url = await app.server.listen({ host, port });
  endWithSignals(app, logger, drainMs);
  app.lifecycle.phase = 'ready';
  logger.info({ host, url, models: app.gateway.catalog.names }, 'listening');
  if (gatewayApiKeys.length === 0) {
    logger.warn('GATEWAY_API_KEYS is not set: every program on this machine may call, and all callers are one');
  }
  return url;
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

/** Why the gateway could not start, for people, with the way out where there is a usual one. */
export function describeStartFailure(error: unknown): string {
  if (error instanceof ConfigError) {
    const isMissingVariable = error.problems.some(({ missingVariable }) => missingVariable !== undefined);
    const hint = '\nSet the variables in .env (see .env.example), or try the gateway without Azure: npm run demo';
    return `${error.message}${isMissingVariable ? hint : ''}\n`;
  }
  const { code, message, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (code === 'EADDRINUSE') {
    return `${address}:${port} is in use. Set PORT, or for the demo's simulator SIMULATOR_URL, to a free one.\n`;
  }
  return `The gateway could not start: ${message}\n`;
}
