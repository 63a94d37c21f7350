import { z } from 'zod';
import { nearestWord } from '../codec/nearest-word.ts';
import type { Dialect } from '../domain/dialect.ts';
import { check, type Misplaced } from './check-schema.ts';
import type { ModelConfig, TargetConfig } from './models-config.ts';
import { longModelSchema, modelKeysSchema } from './models-schema.ts';
import { type JsonPath, type Report, suggest } from './problems.ts';
import { isObject, type JsonDocument } from './read-json.ts';
import { buildTarget, checkTogether, positionName, readAddress, readProvider } from './read-target.ts';
import { anyTargetSchema, targetSchema } from './target-schema.ts';

const longModel = longModelSchema(z.unknown());
const modelKeys = Object.keys(modelKeysSchema.shape);

// Images may take almost ten minutes.
const defaultTimeoutMs = 590_000;

/**
 * Normalises a models file to its long form: the target keys of a model without `targets` move into a list of one target.
 * Places still point at what the operator wrote.
 */
export function longForm(document: JsonDocument, dialects: readonly Dialect[]): JsonDocument {
  const { value: file } = document;
  if (!isObject(file) || !isObject(file.models)) return document;
  const targetKeys = Object.keys(anyTargetSchema(dialects).shape);
  const short = new Set<unknown>();
  const models = Object.entries(file.models).map(([name, model]) => {
    if (!isObject(model) || 'targets' in model) return [name, model];
    short.add(name);
    const entries = Object.entries(model);
    const ofModel = entries.filter(([key]) => belongsToModel(key, targetKeys));
    const target = Object.fromEntries(entries.filter(([key]) => !belongsToModel(key, targetKeys)));
    return [name, { ...Object.fromEntries(ofModel), targets: [target] }];
  });
  const value = { ...file, models: Object.fromEntries(models) };
  return { ...document, value, placeOf: (path) => document.placeOf(short.has(path[1]) ? shortPath(path) : path) };
}

/** A misspelt key goes where the key belongs that was probably meant. */
function belongsToModel(key: string, targetKeys: readonly string[]): boolean {
  return modelKeys.includes(nearestWord(key, [...targetKeys, ...modelKeys]) ?? '');
}

/** The path in the short form of what stands at `path` in the long form. */
function shortPath(path: JsonPath): JsonPath {
  return path[0] === 'models' && path[2] === 'targets' ? path.toSpliced(2, 2) : path;
}

/** Reads one entry of `models` in its long form. Gives undefined when a problem was reported. */
export function readModel(
  name: string,
  entry: unknown,
  dialects: readonly Dialect[],
  path: JsonPath,
  report: Report,
): ModelConfig | undefined {
  if (!isObject(entry)) {
    report(path, 'must be an object');
    return undefined;
  }
  const parsed = check(longModel, entry, path, report, misplacedInModel(dialects));
  const entries: readonly unknown[] = Array.isArray(entry.targets) ? entry.targets : [];
  const targets = entries.map((target, index) =>
    readTarget(target, index, dialects, [...path, 'targets', index], report),
  );
  reportEqualNames(entries, [...path, 'targets'], report);
  reportReplacements(entries, [...path, 'targets'], report);
  const complete = targets.filter((target) => target !== undefined);
  if (parsed === undefined || complete.length < targets.length) return undefined;
  return buildModel(name, parsed, complete, dialects);
}

function readTarget(
  written: unknown,
  index: number,
  dialects: readonly Dialect[],
  path: JsonPath,
  report: Report,
): TargetConfig | undefined {
  if (!isObject(written)) {
    report(path, 'must be an object');
    return undefined;
  }
  const dialect = readProvider(written, dialects, path, report);
  const entry = dialect === undefined ? written : { ...written, provider: dialect.id };
  const address = readAddress(dialect, entry, path, report);
  const isWhole = checkTogether(dialect, entry, path, report);
  if (dialect === undefined) {
    check(anyTargetSchema(dialects), entry, path, report, misplacedInTarget);
    return undefined;
  }
  const parsed = check(targetSchema(dialect), entry, path, report, misplacedInTarget);
  if (parsed === undefined || address === undefined || !isWhole) return undefined;
  return buildTarget(parsed, address, index);
}

function misplacedInModel(dialects: readonly Dialect[]): Misplaced {
  const { shape } = anyTargetSchema(dialects);
  return (key) => (Object.hasOwn(shape, key) ? 'in a model with `targets` it belongs in each target' : removed(key));
}

function misplacedInTarget(key: string): string | undefined {
  return [...modelKeys, 'targets'].includes(key) ? 'it belongs to the model, beside `targets`' : removed(key);
}

/** Advice for a key of earlier versions. */
function removed(key: string): string | undefined {
  return key === 'agentKey' ? 'Azure accepts only `agent_reference` now: remove this key' : undefined;
}

/** The name of a target that is not checked yet. @param index its position, from 0 */
function nameOf(entry: unknown, index: number): unknown {
  return isObject(entry) && 'name' in entry ? entry.name : positionName(index);
}

function reportEqualNames(entries: readonly unknown[], path: JsonPath, report: Report): void {
  const seen = new Set<unknown>();
  for (const [index, entry] of entries.entries()) {
    if (!isObject(entry)) continue;
    const name = nameOf(entry, index);
    if (typeof name !== 'string') continue;
    if (seen.has(name)) report([...path, index, 'name'], 'an earlier target of this model has the same name');
    seen.add(name);
  }
}

/** Reports a target that is to be replaced by one that does not exist, or in the end by itself. */
function reportReplacements(entries: readonly unknown[], path: JsonPath, report: Report): void {
  const names = entries.map(nameOf);
  const replacements = new Map(entries.map((entry, index) => [names[index], replacementOf(entry)]));
  for (const [index, entry] of entries.entries()) {
    const replacement = replacementOf(entry);
    if (replacement === undefined) continue;
    const others = names.filter((name, at) => at !== index && typeof name === 'string') as string[];
    const place = [...path, index, 'replacedBy', 'target'];
    if (!others.includes(replacement)) {
      report(place, `no other target of this model has this name${suggest(replacement, others)}`);
    } else if (leadsTo(names[index], replacement, replacements)) {
      report(place, 'the targets replace each other in a circle');
    }
  }
}

function replacementOf(entry: unknown): string | undefined {
  const name = isObject(entry) && isObject(entry.replacedBy) ? entry.replacedBy.target : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** Whether one of the targets that replace each other, from `name` on, has the name `end`. */
function leadsTo(end: unknown, name: string, replacements: ReadonlyMap<unknown, string | undefined>): boolean {
  const seen = new Set<string>();
  for (let next: string | undefined = name; next !== undefined && !seen.has(next); next = replacements.get(next)) {
    if (next === end) return true;
    seen.add(next);
  }
  return false;
}

type ModelKeys = z.output<typeof modelKeysSchema>;

function buildModel(
  name: string,
  keys: ModelKeys,
  targets: readonly TargetConfig[],
  dialects: readonly Dialect[],
): ModelConfig {
  const defaultOf = ({ provider }: TargetConfig) => dialects.find(({ id }) => id === provider)?.timeoutMs;
  const fallback = Math.max(...targets.map((target) => defaultOf(target) ?? defaultTimeoutMs));
  const { defaults = {}, parameters, maxRetries, onUnknownOutcome, partialSuccess } = keys;
  const optional = partialSuccess === undefined ? {} : { partialSuccess };
  const timeoutMs = keys.timeoutMs ?? fallback;
  return { name, timeoutMs, defaults, parameters, maxRetries, onUnknownOutcome, ...optional, targets };
}
