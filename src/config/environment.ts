import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { config } from 'dotenv';
import { Secret } from '../domain/secret.ts';
import { deepFreeze } from './config-file.ts';
import { unreadVariables } from './environment-checks.ts';
import type { Variables } from './interpolate.ts';
import { isShortKey, shortKeyProblem } from './keys-schema.ts';
import { isLoopback, isNetwork } from './network.ts';
import { ConfigError, type Problem, printWarnings } from './problems.ts';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** The levels of pino, with `silent` for no log at all. */
export type LogLevel = (typeof logLevels)[number];

/** What the operator said about the process. */
export type Environment = {
  readonly host: string;
  /** 0 lets the system choose a free port. */
  readonly port: number;
  readonly modelsFile: string;
  /** Directory for hosted images; `undefined`: none are hosted. */
  readonly dataDir: string | undefined;
  /** The address under which callers reach the gateway, without a slash at its end. */
  readonly publicBaseUrl: string | undefined;
  /** More about who may call; `undefined`: there is nothing more, nor with the usual file while that does not exist. */
  readonly keysFile: string | undefined;
  /** Keys of which callers must show one; without any, and without a keys file, everybody on this machine may call. */
  readonly gatewayApiKeys: readonly Secret[];
  /** Origins whose web pages may call, or `*` for all; empty: none. */
  readonly corsOrigins: readonly string[];
  /** Addresses and networks of the proxies whose `x-forwarded-for` is believed; empty: nobody's. */
  readonly trustedProxies: readonly string[];
  /** Where the metrics are served without a key, beside the place where they need one; 0 lets the system choose. */
  readonly metricsPort: number | undefined;
  readonly logLevel: LogLevel;
  readonly logPretty: boolean;
  /** What the operator should see to although it is allowed, one line each. */
  readonly warnings: readonly string[];
};

const defaultModelsFile = 'config/models.json';

/** The file that the variables name, which can be read even when others of them are wrong. */
export function modelsFileOf({ MODELS_FILE }: Variables): string {
  return (MODELS_FILE ?? '').trim() || defaultModelsFile;
}

/** The same of the keys file; empty: there shall be none. */
export function keysFileOf({ KEYS_FILE }: Variables): string | undefined {
  return (KEYS_FILE ?? defaultKeysFile).trim() || undefined;
}

/**
 * Adds the working directory's `.env`, if there is one, to the process environment. Variables that exist already win.
 *
 * @returns the environment as it is then, for {@link readEnvironment} and the models file
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
 * For the time after {@link loadDotEnv}, but to be called before it: the environment that the process was started with,
 * which cannot change, and `.env` as it is whenever the function that this gives is called. That one throws like
 * {@link loadDotEnv}, and leaves the process environment as it is.
 */
export function environmentReader(): () => Variables {
  const started = { ...process.env };
  return () => withDotEnv({ ...started });
}

function withDotEnv(processEnv: NodeJS.ProcessEnv): Variables {
  const path = dotEnvFile();
  // All options are given, because dotenv would otherwise take them from DOTENV_… variables.
  const { error } = config({ path, processEnv, quiet: true, override: false, debug: false, encoding: 'utf8' });
  const code = error !== undefined && 'code' in error ? String(error.code) : 'ENOENT';
  if (code !== 'ENOENT') throw new ConfigError(path, [{ path: '', message: `the file cannot be read: ${code}` }]);
  return Object.freeze({ ...processEnv });
}

/**
 * Reads the gateway's variables; an empty one counts as unset.
 *
 * @param referred the variables that the files of the configuration read
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
  // Here an empty value says something: that there shall be no directory.
  const dataDir = (variables.DATA_DIR ?? 'data').trim() || undefined;
  const keysFile = keysFileOf(variables);

  if (!isHost(host)) report('HOST', 'must be an address or a host name, without scheme and port');
  else if (gatewayApiKeys.length === 0 && !hasKeys(keysFile) && !isLoopback(host)) report('HOST', needsKeys);
  for (const problem of unreadVariables(variables, referred)) problems.push(problem);
  checkKeys(gatewayApiKeys, { report, onShortKey: isLoopback(host) ? warn : report });
  if (port === undefined) report('PORT', 'must be a whole number from 0 to 65535');
  if (metricsText !== undefined && metricsPort === undefined)
    report('METRICS_PORT', 'must be a whole number from 0 to 65535');
  if (port && metricsPort === port) report('METRICS_PORT', 'must not be the PORT');
  for (const origin of corsOrigins.filter((text) => originOf(text) === undefined))
    report('CORS_ORIGINS', `${JSON.stringify(origin.replace(/:[^:/@]*@/, ':*****@'))} ${notAnOrigin}`);
  for (const proxy of trustedProxies.filter((text) => !isNetwork(text)))
    report('TRUST_PROXY', `${JSON.stringify(proxy)} is neither an address nor a network such as 10.0.0.0/8`);
  if (logLevel === undefined) report('LOG_LEVEL', `must be one of ${logLevels.join(', ')}`);
  if (logPretty === undefined) report('LOG_PRETTY', 'must be true, false, 1 or 0');
  if (publicBaseUrl === null) {
    report('PUBLIC_BASE_URL', 'must be an http or https address without user, query and fragment');
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

const needsKeys =
  'only a loopback address is allowed while nobody has to show a key: set GATEWAY_API_KEYS or KEYS_FILE, or HOST=127.0.0.1';

/** `null`: not usable. */
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

type Tell = (path: string, message: string) => void;

/** A key with a blank cannot be shown in a header as it is; one that is short can be guessed. */
function checkKeys(keys: readonly Secret[], { report, onShortKey }: { report: Tell; onShortKey: Tell }): void {
  for (const [index, key] of keys.entries()) {
    const text = key.expose();
    const name = `key ${index + 1} of ${keys.length}`;
    if (!/^[!-~]+$/.test(text)) report('GATEWAY_API_KEYS', `${name} must be visible ASCII characters without blanks`);
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

/** As browsers write it; `undefined` for anything else but `*`. */
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

/** Nobody has to have this file; one that is named must be there. */
export const defaultKeysFile = 'config/keys.json';

/** Whether a keys file says who may call. One that is named and missing is a mistake, which is found when it is read. */
export function hasKeys(keysFile: string | undefined): keysFile is string {
  return keysFile !== undefined && (keysFile !== defaultKeysFile || existsSync(keysFile));
}
