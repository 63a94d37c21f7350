import { z } from 'zod';
import { type Consumer, type GatewayKey, hashOfKey, isExpired, type KeyLimits, noLimits } from '../domain/consumer.ts';
import type { Secret } from '../domain/secret.ts';
import { check } from './check-schema.ts';
import { parseConfigText, readConfigText } from './config-file.ts';
import { type Environment, hasKeys } from './environment.ts';
import type { Variables } from './interpolate.ts';
import {
  consumerName,
  consumerNameRule,
  consumerSchema,
  isShortKey,
  keysFileSchema,
  shortKeyProblem,
} from './keys-schema.ts';
import type { ModelsConfig } from './models-config.ts';
import { isLoopback } from './network.ts';
import { formatPath, type JsonPath, printWarnings, type Report, suggest } from './problems.ts';
import { readBudget } from './read-budget.ts';
import { isObject } from './read-json.ts';

/** The consumers, and what the operator should know although it is allowed, one line each. */
export type KeysConfig = { readonly consumers: readonly Consumer[]; readonly warnings: readonly string[] };

const fileKeys = keysFileSchema(z.unknown());

/** One key and its successor may be valid at the same time, so that a change of keys interrupts nobody. */
const maxValidKeys = 2;

type Known = Pick<ModelsConfig, 'models' | 'aliases' | 'currency' | 'prices' | 'hasListPrices'>;

/**
 * All consumers: one for each key of `GATEWAY_API_KEYS`, and those of the keys file, if there is one. Without any, everybody may call.
 *
 * @throws ConfigError with every problem of the file
 */
export function loadKeys(
  { gatewayApiKeys, keysFile, host }: Pick<Environment, 'gatewayApiKeys' | 'keysFile' | 'host'>,
  variables: Variables,
  models: Known,
): KeysConfig {
  const consumers = consumersOf(gatewayApiKeys);
  if (!hasKeys(keysFile)) return { consumers, warnings: [] };
  const isPublic = !isLoopback(host);
  const text = readConfigText(keysFile, 'KEYS_FILE');
  const file = parseKeys(text, { variables, models, others: consumers, file: keysFile, isPublic });
  return { consumers: [...consumers, ...file.consumers], warnings: file.warnings };
}

/** A consumer without limits for each key, named after the key's hash. */
export function consumersOf(keys: readonly Secret[]): Consumer[] {
  const hashes = new Set(keys.map((key) => hashOfKey(key.expose())));
  return [...hashes].map((sha256) => ({
    // A name by position would pass to another key when an earlier one is removed. No consumer of the keys file can have it.
    name: `GATEWAY_API_KEYS#${sha256.slice(0, 8)}`,
    keys: [{ sha256, expiresAt: undefined }],
    models: undefined,
    limits: noLimits,
  }));
}

type KeysText = {
  readonly variables: Variables;
  readonly models: Known;
  /** Consumers whose keys are configured elsewhere. */
  readonly others?: readonly Consumer[];
  /** What the text is called in an error. */
  readonly file?: string;
  /** Whether the gateway listens beyond loopback. */
  readonly isPublic?: boolean;
  /** The time of day, in milliseconds since 1970. */
  readonly now?: number;
};

/** Checks the text of a keys file. Throws a ConfigError with every problem that was found. */
export function parseKeys(
  text: string,
  { variables, models, others = [], file = 'the keys file', isPublic = false, now = Date.now() }: KeysText,
): KeysConfig {
  const places = new Map(others.flatMap(({ name, keys }) => keys.map(({ sha256 }) => [sha256, name])));
  const { config, warnings } = parseConfigText({ text, file, variables }, (value, report, warn) =>
    readConsumers(value, { models, places, isPublic, now, report, warn }),
  );
  return { consumers: config, warnings: printWarnings(file, warnings) };
}

type Context = {
  readonly models: Known;
  /** Where each key was found, by its hash: no two may be equal. */
  readonly places: Map<string, string>;
  readonly isPublic: boolean;
  readonly now: number;
  readonly report: Report;
  readonly warn: Report;
};

function readConsumers(value: unknown, context: Context): Consumer[] | undefined {
  const { report } = context;
  if (!isObject(value)) {
    report([], 'the file must hold an object');
    return undefined;
  }
  const isWhole = check(fileKeys, value, [], report) !== undefined;
  const entries = Object.entries(isObject(value.callers) ? value.callers : {});
  if (isObject(value.callers) && entries.length === 0) report(['callers'], 'must not be empty');
  const consumers = entries.map(([name, entry]) => readConsumer(name, entry, context));
  const complete = consumers.filter((consumer) => consumer !== undefined);
  return isWhole && complete.length === consumers.length ? complete : undefined;
}

/** One entry of `callers`; `undefined` when its form is wrong, which is reported. */
function readConsumer(name: string, entry: unknown, context: Context): Consumer | undefined {
  const { report, now } = context;
  const path = ['callers', name];
  if (!consumerName.test(name)) report(path, `the name ${consumerNameRule}`);
  const parsed = check(consumerSchema, entry, path, report);
  if (parsed === undefined) return undefined;
  const keys = parsed.keys.map((key, index) => readKey(key, [...path, 'keys', index], context));
  const valid = keys.filter((key) => key !== undefined && !isExpired(key, now));
  if (valid.length > maxValidKeys) report([...path, 'keys'], 'must not hold more than two valid keys');
  const models = parsed.models?.map((model, index) => readModelName(model, [...path, 'models', index], context));
  const { windowMs, ...limits } = parsed.limits ?? {};
  const budget = parsed.budget && readBudget(parsed.budget, [...path, 'budget'], { ...context, allowed: models });
  if (windowMs !== undefined && limits.requests === undefined && limits.images === undefined) {
    report([...path, 'limits', 'windowMs'], 'has no effect without `requests` or `images`');
  }
  return {
    name,
    keys: keys.filter((key) => key !== undefined),
    models: models && [...new Set(models)],
    ...(budget && { budget }),
    ...(parsed.role === 'admin' && { isAdmin: true }),
    limits: { ...noLimits, ...limits, ...(windowMs !== undefined && { windowMs }) } satisfies KeyLimits,
  };
}

type KeyEntry = z.output<typeof consumerSchema>['keys'][number];

function readKey(entry: KeyEntry, path: JsonPath, context: Context): GatewayKey | undefined {
  const { places, isPublic, now, report, warn } = context;
  if ((entry.sha256 === undefined) === (entry.key === undefined)) {
    report(path, entry.key === undefined ? '`sha256` is required' : 'must not have both `sha256` and `key`');
    return undefined;
  }
  if (entry.key !== undefined) {
    warn([...path, 'key'], 'the file contains the key itself; store its `sha256` instead');
    if (isShortKey(entry.key)) (isPublic ? report : warn)([...path, 'key'], `the key ${shortKeyProblem}`);
  }
  const sha256 = entry.sha256?.toLowerCase() ?? hashOfKey(entry.key ?? '');
  const earlier = places.get(sha256);
  if (earlier !== undefined) report(path, `the same key as ${earlier}`);
  places.set(sha256, formatPath(path));
  const key = { sha256, expiresAt: entry.expires === undefined ? undefined : Date.parse(entry.expires) };
  if (isExpired(key, now)) warn([...path, 'expires'], 'the key has expired');
  return key;
}

/** The name of the model, for a name or an alias. */
function readModelName(name: string, path: JsonPath, { models: { models, aliases }, report }: Context): string {
  const model = aliases.get(name) ?? name;
  const known = models.map((one) => one.name);
  if (!known.includes(model)) {
    report(path, `no model or alias has this name${suggest(name, [...known, ...aliases.keys()])}`);
  }
  return model;
}
