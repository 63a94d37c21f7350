/** The modules of the gateway, each with the modules that it may import. A file directly in `src/` is a module of its own. */
export const moduleImports: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  concurrency: ['domain'],
  codec: ['domain'],
  parameters: ['domain', 'codec'],
  targets: ['domain', 'concurrency', 'codec', 'parameters'],
  generations: ['domain', 'concurrency', 'codec', 'parameters', 'targets'],
  upstream: ['domain', 'concurrency', 'codec'],
  providers: ['domain', 'concurrency', 'codec', 'upstream'],
  http: ['domain', 'concurrency', 'codec', 'parameters', 'targets', 'generations'],
  storage: ['domain', 'concurrency', 'codec'],
  telemetry: ['domain'],
  config: ['domain', 'codec'],
  app: [
    'domain',
    'parameters',
    'targets',
    'generations',
    'upstream',
    'providers',
    'http',
    'storage',
    'telemetry',
    'config',
  ],
  cli: [
    ...[
      'domain',
      'concurrency',
      'codec',
      'parameters',
      'targets',
      'generations',
      'upstream',
      'http',
      'storage',
      'telemetry',
    ],
    ...['config', 'app', 'simulator'],
  ],
  main: ['cli', 'config', 'domain'],
  simulator: [],
};

/** Packages that only these modules may import; any other package may be imported everywhere. */
export const packageHomes: Readonly<Record<string, readonly string[]>> = {
  fastify: ['http', 'app', 'simulator'],
  '@fastify/multipart': ['http', 'simulator'],
  '@fastify/cors': ['http'],
  'rate-limiter-flexible': ['http'],
  undici: ['upstream'],
  '@azure/identity': ['upstream'],
  '@azure/msal-node': ['upstream'],
  pino: ['telemetry', 'app', 'cli'],
  'prom-client': ['telemetry'],
  dotenv: ['config'],
  'jsonc-parser': ['config'],
  'close-with-grace': ['cli'],
  sharp: ['simulator'],
  vitest: [],
  nock: [],
};

/** A longer file has two ideas. */
export const maxLines = 300;
