import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { checkAliases, checkDefaultModel } from './check-references.ts';
import { ConfigError, type Problem } from './config-error.ts';
import { check } from './describe-issue.ts';
import { deepFreeze, frozenMap } from './frozen.ts';
import { interpolate, type Variables } from './interpolate.ts';
import { formatPath, type JsonPath, type PathProblem, type Report } from './json-path.ts';
import { usualHeldBytes } from './memory-limit.ts';
import { fileSchema } from './model-schema.ts';
import type { ModelConfig, ModelsConfig } from './models-config.ts';
import { readEgressProxy } from './read-egress-proxy.ts';
import { type JsonDocument, readJson } from './read-json.ts';
import { isObject, readModel } from './read-model.ts';

const fileKeys = fileSchema(z.unknown());

// Time to write the last answers after the slowest request has its outcome.
const drainMarginMs = 10_000;

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'part of its path is not a directory',
  EISDIR: 'it is a directory',
  EACCES: 'no permission to read it',
  EPERM: 'no permission to read it',
};

/**
 * Reads and checks the models file.
 *
 * @param file path, relative to the working directory or absolute
 * @param variables what `${NAME}` in the file refers to
 * @throws ConfigError with every problem that was found
 */
export function loadModels(file: string, variables: Variables): ModelsConfig {
  return parseModels(readText(file), variables, file);
}

/**
 * Checks the text of a models file.
 *
 * @param file what the text is called in an error
 * @throws ConfigError with every problem that was found
 */
export function parseModels(text: string, variables: Variables, file = 'the models file'): ModelsConfig {
  const document = readJson(text, file);
  const { value, problems: unfilled } = interpolate(document.value, variables);
  const found: PathProblem[] = [];
  const config = readFile(value, (path, message) => found.push({ path, message }));
  // A value with a missing variable has its problem; what else is said about it would only be noise.
  const meaningful = found.filter(({ path }) => !unfilled.some((problem) => samePath(problem.path, path)));
  const problems = [...document.problems, ...unfilled, ...meaningful];
  if (problems.length > 0 || config === undefined) throw new ConfigError(file, placed(problems, document));
  return deepFreeze(config);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const message = `the file cannot be read: ${unreadable[code] ?? code} (MODELS_FILE names it)`;
    throw new ConfigError(file, [{ path: '', message }]);
  }
}

function readFile(value: unknown, report: Report): ModelsConfig | undefined {
  if (!isObject(value)) {
    report([], 'the file must hold an object');
    return undefined;
  }
  const file = check(fileKeys, value, [], report);
  const entries = Object.entries(isObject(value.models) ? value.models : {});
  if (isObject(value.models) && entries.length === 0) report(['models'], 'must not be empty');
  const models = entries.map(([name, entry]) => readModel(name, entry, ['models', name], report));
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

function build(file: z.output<typeof fileKeys>, models: readonly ModelConfig[]): ModelsConfig {
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
      heldBytes: limits.heldBytes ?? usualHeldBytes(),
      queueMs: limits.queueMs ?? 15_000,
      lingerMs: limits.lingerMs ?? 15_000,
    },
    uploadBytes,
    imageUrls,
  };
}

function placed(problems: readonly PathProblem[], document: JsonDocument): Problem[] {
  return problems
    .map(({ path, ...rest }) => ({ path: formatPath(path), line: document.lineOf(path), ...rest }))
    .sort((first, second) => first.line - second.line);
}

function samePath(first: JsonPath, second: JsonPath): boolean {
  return first.length === second.length && first.every((segment, index) => segment === second[index]);
}
