import { z } from 'zod';
import type { Dialect } from '../domain/dialect.ts';
import { checkAliases, checkDefaultModel } from './check-references.ts';
import { printWarnings } from './config-error.ts';
import { check } from './describe-issue.ts';
import { deepFreeze, frozenMap } from './frozen.ts';
import type { Variables } from './interpolate.ts';
import type { Report } from './json-path.ts';
import { warnOfLiteralSecrets } from './literal-secrets.ts';
import { defaultHeldBytes } from './memory-limit.ts';
import { fileSchema } from './model-schema.ts';
import type { ModelConfig, ModelsConfig, TargetConfig } from './models-config.ts';
import { parseConfigText, readConfigText } from './read-config-file.ts';
import { readEgressProxy } from './read-egress-proxy.ts';
import { isObject, longForm, readModel } from './read-model.ts';

const fileKeys = fileSchema(z.unknown());

// Time to write the last answers after the slowest request has its outcome.
const drainMarginMs = 10_000;

type Warn = (key: string, message: string) => void;

/** Looks at what is valid for what its operator should see to although it is allowed. */
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
 * @param review adds to the warnings what can be told by the families of the targets' models
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
      warnOfLiteralSecrets(written, variables, warn);
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
  const entries = Object.entries(isObject(value.models) ? value.models : {});
  if (isObject(value.models) && entries.length === 0) report(['models'], 'must not be empty');
  const models = entries.map(([name, entry]) => readModel(name, entry, dialects, ['models', name], report));
  checkReferences(value, report);
  const egressProxy = readEgressProxy(value, report);
  const complete = models.filter((model) => model !== undefined);
  if (file === undefined || complete.length < models.length) return undefined;
  return { ...build(file, complete), ...(egressProxy && { egressProxy }) };
}

function checkReferences(value: Readonly<Record<string, unknown>>, report: Report): void {
  const models = Object.keys(isObject(value.models) ? value.models : {});
  const aliases = isObject(value.aliases) ? value.aliases : {};
  checkAliases(aliases, models, report);
  checkDefaultModel(value.defaultModel, [...models, ...Object.keys(aliases)], report);
}

function build(file: z.output<typeof fileKeys>, models: readonly ModelConfig[]): Omit<ModelsConfig, 'warnings'> {
  const aliases = frozenMap(Object.entries(file.aliases ?? {}));
  const longest = Math.max(...models.map((model) => model.timeoutMs));
  const { defaultModel, imageUrls, limits = {} } = file;
  const { drainMs = longest + drainMarginMs, uploadBytes = 200_000_000 } = limits;
  return {
    ...(defaultModel !== undefined && { defaultModel: aliases.get(defaultModel) ?? defaultModel }),
    aliases,
    models,
    currency: file.currency,
    prices: frozenMap(Object.entries(file.prices ?? {}).map(([name, price]) => [name.toLowerCase(), price])),
    drainMs,
    limits: {
      inFlight: limits.inFlight ?? 200,
      heldBytes: limits.heldBytes ?? defaultHeldBytes(),
      queueMs: limits.queueMs ?? 15_000,
      lingerMs: limits.lingerMs ?? 15_000,
    },
    uploadBytes,
    imageUrls,
  };
}
