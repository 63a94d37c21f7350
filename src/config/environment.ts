import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { config } from 'dotenv';
import type { ObjectStorage } from '../domain/object-storage.ts';
import type { PostgresSettings } from '../domain/postgres-settings.ts';
import { Secret } from '../domain/secret.ts';
import { deepFreeze } from './config-file.ts';
import { unreadVariables } from './environment-checks.ts';
import { readObjectStorage } from './images-url.ts';
import type { Variables } from './interpolate.ts';
import { readJobsUrl } from './jobs-url.ts';
import { isShortKey, shortKeyProblem } from './keys-schema.ts';
import { isLoopback, isNetwork } from './network.ts';
import { ConfigError, type Problem, printWarnings } from './problems.ts';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** The levels of pino, with `silent` for no log at all. */
export type LogLevel = (typeof logLevels)[number];

/** The settings of the process. */
export type Environment = {
  readonly host: string;
  /** 0 lets the system choose a free port. */
  readonly port: number;
  readonly modelsFile: string;
  /** Directory for hosted images; `undefined`: none are hosted. */
  readonly dataDir: string | undefined;
  /** The database of jobs, which several gateways may share; `undefined`: they are in `dataDir`. */
  readonly jobs: PostgresSettings | undefined;
  /** Where images are stored for several gateways; `undefined`: in the directory alone. */
  readonly objectStorage: ObjectStorage | undefined;
  /** The URL under which clients reach the gateway, without a trailing slash. */
  readonly publicBaseUrl: string | undefined;
  /** The file of the consumers; `undefined`: none. The default file need not exist. */
  readonly keysFile: string | undefined;
  /** Keys without further settings. Without any, and without a keys file, authentication is off. */
  readonly gatewayApiKeys: readonly Secret[];
  /** Origins whose web pages can call, or `*` for all; empty: none. */
  readonly corsOrigins: readonly string[];
  /** Addresses and networks of trusted proxies, whose `x-forwarded-for` is used; empty: none. */
  readonly trustedProxies: readonly string[];
  /** A further port that serves the metrics without authentication; 0 lets the system choose. */
  readonly metricsPort: number | undefined;
  readonly logLevel: LogLevel;
  readonly logPretty: boolean;
  /** What is valid but probably not meant, one line each. */
  readonly warnings: readonly string[];
};

const defaultModelsFile = 'config/models.json';

/** The path of the models file, also when other variables are invalid. */
export function modelsFileOf({ MODELS_FILE }: Variables): string {
  return (MODELS_FILE ?? '').trim() || defaultModelsFile;
}

/** The path of the keys file; `undefined` when the variable is empty. */
export function keysFileOf({ KEYS_FILE }: Variables): string | undefined {
  return (KEYS_FILE ?? defaultKeysFile).trim() || undefined;
}

/**
 * Adds the working directory's `.env`, if there is one, to the process environment. Existing variables win.
 *
 * @returns a copy of the resulting environment
 * @throws ConfigError when there is an `.env` that cannot be read
 */
export function loadDotEnv(): Variables {
  return withDotEnv(process.env);
}

/** The working directory's `.env`. */
export function dotEnvFile(): string {
  return resolve('.env');
}

/**
 * Call this before {@link loadDotEnv}. The returned function combines the environment with which the process started and the current
 * `.env`. It throws like {@link loadDotEnv} and does not change the process environment.
 */
export function environmentReader(): () => Variables {
  const started = { ...process.env };
  return () => withDotEnv({ ...started });
}

function withDotEnv(processEnv: NodeJS.ProcessEnv): Variables {
  const path = dotEnvFile();
  // Every option is set, because dotenv would otherwise read it from a DOTENV_… variable.
  const { error } = config({ path, processEnv, quiet: true, override: false, debug: false, encoding: 'utf8' });
  const code = error !== undefined && 'code' in error ? String(error.code) : 'ENOENT';
  if (code !== 'ENOENT') throw new ConfigError(path, [{ path: '', message: `cannot read the file: ${code}` }]);
  return Object.freeze({ ...processEnv });
}

/**
 * Reads the gateway's variables; an empty one counts as unset.
 *
 * @param referred the variables that the configuration files refer to
 * @throws ConfigError with every problem that was found
 */
export function readEnvironment(variables: Variables, referred: ReadonlySet<string> = new Set()): Environment {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const report = (path: string, message: string) => problems.push({ path, message });
  const warn = (path: string, message: string) => warnings.push({ path, message });
  const read = (name: string) => (variables[name] ?? '').trim() || undefined;

  const host = (read('HOST') ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  const port = readPort(read('PORT') ?? '8866');
  const gatewayApiKeys = readKeys(read('GATEWAY_API_KEYS') ?? '');
  const metricsText = read('METRICS_PORT');
  const metricsPort = metricsText === undefined ? undefined : readPort(metricsText);
  const logLevel = readLogLevel(read('LOG_LEVEL') ?? 'info');
  const logPretty = readBoolean(read('LOG_PRETTY') ?? 'false');
  const corsOrigins = readList(read('CORS_ORIGINS') ?? '').map((text) => originOf(text) ?? text);
  const trustedProxies = readList(read('TRUST_PROXY') ?? '');
  const publicBaseUrl = readBaseUrl(read('PUBLIC_BASE_URL'));
  // An empty value means that no images are hosted.
  const dataDir = (variables.DATA_DIR ?? 'data').trim() || undefined;
  const objectStorage = readObjectStorage(read, report);
  const keysFile = keysFileOf(variables);
  const jobsUrl = read('JOBS_URL');
  const jobs = jobsUrl === undefined ? undefined : readJobsUrl(jobsUrl, (message) => report('JOBS_URL', message));

  if (jobs !== undefined && dataDir === undefined)
    report('JOBS_URL', 'needs DATA_DIR, where images are while they arrive');
  if (!isHost(host)) report('HOST', 'must be an address or a host name, without scheme and port');
  else if (gatewayApiKeys.length === 0 && !hasKeys(keysFile) && !isLoopback(host)) report('HOST', needsKeys);
  if (jobsUrl !== undefined && read('IMAGES_URL') === undefined) report('JOBS_URL', needsImagesUrl);
  if (objectStorage !== undefined && dataDir === undefined) report('IMAGES_URL', needsDirectory);
  for (const problem of unreadVariables(variables, referred)) problems.push(problem);
  checkKeys(gatewayApiKeys, { report, onShortKey: isLoopback(host) ? warn : report });
  if (port === undefined) report('PORT', 'must be a whole number from 0 to 65535');
  if (metricsText !== undefined && metricsPort === undefined)
    report('METRICS_PORT', 'must be a whole number from 0 to 65535');
  if (port && metricsPort === port) report('METRICS_PORT', 'must differ from PORT');
  for (const origin of corsOrigins.filter((text) => originOf(text) === undefined))
    report('CORS_ORIGINS', `${JSON.stringify(origin.replace(/:[^:/@]*@/, ':*****@'))} ${notAnOrigin}`);
  for (const proxy of trustedProxies.filter((text) => !isNetwork(text)))
    report('TRUST_PROXY', `${JSON.stringify(proxy)} is neither an address nor a network such as 10.0.0.0/8`);
  if (logLevel === undefined) report('LOG_LEVEL', `must be one of ${logLevels.join(', ')}`);
  if (logPretty === undefined) report('LOG_PRETTY', 'must be true, false, 1 or 0');
  if (publicBaseUrl === null) {
    report('PUBLIC_BASE_URL', 'must be an http or https URL without user, query and fragment');
  }
  if (
    problems.length > 0 ||
    port === undefined ||
    logLevel === undefined ||
    logPretty === undefined ||
    publicBaseUrl === null
  ) {
    throw new ConfigError('the environment', problems);
  }
  return deepFreeze({
    host,
    port,
    modelsFile: modelsFileOf(variables),
    keysFile,
    dataDir,
    jobs,
    objectStorage,
    publicBaseUrl,
    gatewayApiKeys,
    corsOrigins,
    trustedProxies,
    metricsPort,
    logLevel,
    logPretty,
    warnings: printWarnings('the environment', warnings),
  });
}

const needsImagesUrl = 'needs IMAGES_URL, too: gateways that share their jobs share their images';

const needsKeys =
  'must be a loopback address while authentication is off: set GATEWAY_API_KEYS or KEYS_FILE, or HOST=127.0.0.1';

const needsDirectory = 'needs DATA_DIR: images are kept there until they are uploaded';

/** `null`: invalid. */
function readBaseUrl(text: string | undefined): string | undefined | null {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username + url.password + url.search + url.hash !== '') {
    return null;
  }
  return url.href.replace(/\/+$/, '');
}

function readPort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? port : undefined;
}

type ReportVariable = (path: string, message: string) => void;

/** A key with a space cannot be sent in a header; a short key could be guessed. */
function checkKeys(
  keys: readonly Secret[],
  { report, onShortKey }: { report: ReportVariable; onShortKey: ReportVariable },
): void {
  for (const [index, key] of keys.entries()) {
    const text = key.expose();
    const name = `key ${index + 1} of ${keys.length}`;
    if (!/^[!-~]+$/.test(text)) report('GATEWAY_API_KEYS', `${name} must be printable ASCII characters without spaces`);
    else if (isShortKey(text)) onShortKey('GATEWAY_API_KEYS', `${name} ${shortKeyProblem}`);
  }
}

function readKeys(text: string): Secret[] {
  return readList(text).map((key) => new Secret(key));
}

function readList(text: string): string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries.filter((entry) => entry !== '');
}

const notAnOrigin = 'is neither an origin such as https://app.example.com nor *';

/** The origin as browsers write it, or `*`; otherwise `undefined`. */
function originOf(text: string): string | undefined {
  if (text === '*') return text;
  const url = /^https?:\/\/[^/\\?#@*\s]+$/i.test(text) ? URL.parse(text) : null;
  return url?.origin;
}

function readLogLevel(text: string): LogLevel | undefined {
  return logLevels.find((level) => level === text.toLowerCase());
}

function readBoolean(text: string): boolean | undefined {
  const word = text.toLowerCase();
  if (word === 'true' || word === '1') return true;
  return word === 'false' || word === '0' ? false : undefined;
}

function isHost(host: string): boolean {
  return isIP(host) !== 0 || /^[A-Za-z0-9._-]+$/.test(host);
}

/** Optional; any other file that KEYS_FILE names must exist. */
export const defaultKeysFile = 'config/keys.json';

/** Whether there is a keys file. One that is named but missing counts: reading it reports the mistake. */
export function hasKeys(keysFile: string | undefined): keysFile is string {
  return keysFile !== undefined && (keysFile !== defaultKeysFile || existsSync(keysFile));
}
