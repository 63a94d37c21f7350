import { z } from 'zod';
import type { Dialect, JsonObject } from '../domain/dialect.ts';
import { check } from './check-schema.ts';
import { deepFreeze, frozenMap, parseConfigText, readConfigText } from './config-file.ts';
import { isFromVariable, type Variables } from './interpolate.ts';
import { type ModelConfig, type ModelsConfig, priceOf, type TargetConfig } from './models-config.ts';
import { fileSchema } from './models-schema.ts';
import { readEgressProxy } from './network.ts';
import { priceList } from './price-schema.ts';
import { type JsonPath, printName, printWarnings, type Report, suggest } from './problems.ts';
import { isObject } from './read-json.ts';
import { longForm, readModel } from './read-model.ts';
import { checkQuotas, quotaLimits, warnAboutQuotas } from './read-quotas.ts';
import { readResponses } from './read-responses.ts';

const fileKeys = fileSchema(z.unknown());

// Time to write the last responses after the slowest request has its outcome.
const drainMarginMs = 10_000;

type Warn = (key: string, message: string) => void;

/** Warns about configuration that is valid but probably not meant. */
export type Review = {
  target(target: TargetConfig, warn: Warn): void;
  /** `warn` takes a key of the model's defaults. */
  defaults(model: ModelConfig, warn: Warn): void;
};

/**
 * Reads and checks the models file.
 *
 * @param file path, relative to the working directory or absolute
 * @param variables what `${NAME}` in the file refers to
 * @param dialects what targets can name as their `provider`
 * @param review adds warnings that depend on the model families
 * @throws ConfigError with every problem that was found
 */
export function loadModels(
  file: string,
  variables: Variables,
  dialects: readonly Dialect[],
  review?: Review,
): ModelsConfig {
  return parseModels(readConfigText(file, 'MODELS_FILE'), variables, dialects, file, review);
}

/**
 * Checks the text of a models file.
 *
 * @param file what the text is called in an error
 * @throws ConfigError with every problem that was found
 */
export function parseModels(
  text: string,
  variables: Variables,
  dialects: readonly Dialect[],
  file = 'the models file',
  review?: Review,
): ModelsConfig {
  const { config, warnings } = parseConfigText(
    { text, file, variables, arrange: (document) => longForm(document, dialects) },
    (value, report, warn, written) => {
      const parsed = readFile(value, dialects, report);
      warnAboutLiteralSecrets(written, variables, warn);
      if (parsed) warnAboutQuotas(parsed, warn);
      if (parsed?.hasListPrices) warnAboutListPrices(parsed, warn);
      if (parsed && review) reviewModels(parsed.models, review, warn);
      return parsed;
    },
  );
  return deepFreeze({ ...config, warnings: printWarnings(file, warnings) });
}

function reviewModels(models: readonly ModelConfig[], review: Review, warn: Report): void {
  for (const model of models) {
    const path = ['models', model.name];
    for (const [index, target] of model.targets.entries()) {
      review.target(target, (key, message) => warn([...path, 'targets', index, key], message));
    }
    review.defaults(model, (key, message) => warn([...path, 'defaults', key], message));
  }
}

/** Warns about targets whose calls have an unknown cost although prices are switched on. */
function warnAboutListPrices(config: Omit<ModelsConfig, 'warnings'>, warn: Report): void {
  for (const { name, targets } of config.models) {
    for (const [index, target] of targets.entries()) {
      if (priceOf(target, config) !== undefined) continue;
      warn(['models', name, 'targets', index, 'model'], 'has no list price, so the cost is unknown without a `price`');
    }
  }
}

function readFile(
  value: unknown,
  dialects: readonly Dialect[],
  report: Report,
): Omit<ModelsConfig, 'warnings'> | undefined {
  if (!isObject(value)) {
    report([], 'the file must hold an object');
    return undefined;
  }
  const file = check(fileKeys, value, [], report);
  const entries = Object.entries(membersOf(value.models));
  if (isObject(value.models) && entries.length === 0) report(['models'], 'must not be empty');
  const models = entries.map(([name, entry]) => readModel(name, entry, dialects, ['models', name], report));
  checkReferences(value, report);
  checkQuotas(value, report);
  if (file?.prices === 'list' && file.currency !== 'USD')
    report(['currency'], 'must be USD: list prices are in dollars');
  const egressProxy = readEgressProxy(value, report);
  const complete = models.filter((model) => model !== undefined);
  const areWhole = file !== undefined && complete.length === models.length;
  const built = areWhole ? build(file, complete) : undefined;
  const responses = readResponses(value, file?.responses, { dialects, models: built }, report);
  return built && { ...built, ...(egressProxy && { egressProxy }), ...(responses && { responses }) };
}

function build(file: z.output<typeof fileKeys>, models: readonly ModelConfig[]): Omit<ModelsConfig, 'warnings'> {
  const aliases = frozenMap(Object.entries(file.aliases ?? {}));
  const longest = Math.max(...models.map((model) => model.timeoutMs));
  const { defaultModel, imageUrls, limits = {} } = file;
  const { drainMs = longest + drainMarginMs, uploadBytes = 200_000_000, keepHours = 24, storeBytes } = limits;
  return {
    ...(defaultModel !== undefined && { defaultModel: aliases.get(defaultModel) ?? defaultModel }),
    aliases,
    models,
    currency: file.currency,
    ...readPrices(file.prices),
    quotas: quotaLimits(file.quotas),
    drainMs,
    limits: {
      inFlight: limits.inFlight ?? 200,
      heldBytes: limits.heldBytes ?? defaultHeldBytes(),
      queueMs: limits.queueMs ?? 15_000,
      lingerMs: limits.lingerMs ?? 15_000,
    },
    storeLimits: { keepHours, ...(storeBytes !== undefined && { storeBytes }) },
    uploadBytes,
    imageUrls,
  };
}

function readPrices(prices: z.output<typeof fileKeys>['prices'] = {}): Pick<ModelsConfig, 'prices' | 'hasListPrices'> {
  if (prices === 'list') return { prices: frozenMap([]), hasListPrices: true };
  const entries = Object.entries(prices);
  return { prices: frozenMap(entries.map(([name, price]) => [name.toLowerCase(), priceList(price)])) };
}

const mebibyte = 1024 * 1024;

/**
 * The default of `limits.heldBytes`: half of the container's memory, at most 512 MiB. The process itself and uncollected garbage
 * need the other half.
 *
 * @param limit memory of the container in bytes; 0 without a limit
 */
export function defaultHeldBytes(limit = process.constrainedMemory()): number {
  const max = 512 * mebibyte;
  return limit > 0 ? Math.max(16 * mebibyte, Math.min(max, Math.floor(limit / 2))) : max;
}

/** Reports aliases that share the name of a model or do not point at one, and a default or image model that does not exist. */
function checkReferences(file: JsonObject, report: Report): void {
  const models = Object.keys(membersOf(file.models));
  const aliases = membersOf(file.aliases);
  for (const [alias, target] of Object.entries(aliases)) {
    const path = ['aliases', alias];
    if (models.includes(alias)) report(path, 'a model has this name already');
    if (typeof target !== 'string' || models.includes(target)) continue;
    const model = aliases[target];
    const name = typeof model === 'string' && models.includes(model) ? ` \`${printName(model)}\`` : '';
    if (!Object.hasOwn(aliases, target)) report(path, `no model has this name${suggest(target, models)}`);
    else report(path, `points at another alias; use the name of the model${name}`);
  }
  const names = [...models, ...Object.keys(aliases)];
  const checkName = (name: unknown, path: JsonPath) => {
    if (typeof name !== 'string' || names.includes(name)) return;
    report(path, `no model or alias has this name${suggest(name, names)}`);
  };
  checkName(file.defaultModel, ['defaultModel']);
  checkName(membersOf(file.responses).imageModel, ['responses', 'imageModel']);
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
const literalSecret = 'the file contains this secret; put it into an environment variable and write ${NAME} here';

/** Names of headers that hold secrets. */
const secretName = /key|token|secret|auth|password|signature|cookie/i;

/** Warns about secrets written into a models file, because such files are shared and committed. */
function warnAboutLiteralSecrets(written: unknown, variables: Variables, warn: Report): void {
  const isLiteral = (value: unknown): value is string => typeof value === 'string' && !isFromVariable(value, variables);
  const { models, responses, egressProxy } = membersOf(written);
  const warnOf = (target: unknown, path: JsonPath) => {
    const { apiKey, headers } = membersOf(target);
    if (isLiteral(apiKey)) warn([...path, 'apiKey'], literalSecret);
    for (const [header, value] of Object.entries(membersOf(headers))) {
      if (secretName.test(header) && isLiteral(value)) warn([...path, 'headers', header], literalSecret);
    }
  };
  for (const [name, model] of Object.entries(membersOf(models))) {
    const { targets } = membersOf(model);
    for (const [index, target] of (Array.isArray(targets) ? targets : []).entries()) {
      warnOf(target, ['models', name, 'targets', index]);
    }
  }
  warnOf(membersOf(responses).target, ['responses', 'target']);
  if (isLiteral(egressProxy) && egressProxy.includes('@')) warn(['egressProxy'], literalSecret);
}

/** The members of an object; of anything else, none. */
function membersOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
