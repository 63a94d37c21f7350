import type { z } from 'zod';
import { type Consumer, type GatewayKey, hashOfKey, isExpired, type KeyLimits, noLimits } from '../domain/consumer.ts';
import { check } from './describe-issue.ts';
import type { JsonPath, Report } from './json-path.ts';
import { formatPath } from './json-path.ts';
import { callerName, callerNameRule, callerSchema } from './keys-schema.ts';
import type { ModelsConfig } from './models-config.ts';
import { isShortKey, shortKeyProblem } from './short-key.ts';
import { suggest } from './suggest.ts';

type Context = {
  readonly models: Pick<ModelsConfig, 'models' | 'aliases'>;
  /** Whose keys stand elsewhere. */
  readonly others: readonly Consumer[];
  /** Whether the gateway listens beyond loopback. */
  readonly isPublic: boolean;
  readonly now: number;
  readonly report: Report;
  readonly warn: Report;
};

type CallerEntry = z.output<typeof callerSchema>;
type KeyEntry = CallerEntry['keys'][number];

/** A caller may have so many keys that are valid: one that goes, and one that comes. */
const maxLiveKeys = 2;

/** Reads the callers of one file. It remembers their keys, because no two may be equal. */
export class KeyReader {
  readonly #context: Context;
  readonly #places = new Map<string, string>();

  constructor(context: Context) {
    this.#context = context;
    for (const { name, keys } of context.others) {
      for (const { sha256 } of keys) this.#places.set(sha256, name);
    }
  }

  /** One entry of `callers`; `undefined` when a problem was reported. */
  read(name: string, entry: unknown): Consumer | undefined {
    const { report } = this.#context;
    const path = ['callers', name];
    if (!callerName.test(name)) report(path, `the name ${callerNameRule}`);
    const parsed = check(callerSchema, entry, path, report);
    if (parsed === undefined) return undefined;
    const keys = parsed.keys.map((key, index) => this.#readKey(key, [...path, 'keys', index]));
    const live = keys.filter((key) => key !== undefined && !isExpired(key, this.#context.now));
    if (live.length > maxLiveKeys) report([...path, 'keys'], 'must not hold more than two keys that are valid');
    const models = parsed.models?.map((model, index) => this.#readModel(model, [...path, 'models', index]));
    const { windowMs, ...limits } = parsed.limits ?? {};
    if (windowMs !== undefined && limits.requests === undefined && limits.images === undefined) {
      report([...path, 'limits', 'windowMs'], 'means nothing without `requests` or `images`');
    }
    return {
      name,
      keys: keys.filter((key) => key !== undefined),
      models: models && [...new Set(models)],
      limits: { ...noLimits, ...limits, ...(windowMs !== undefined && { windowMs }) } satisfies KeyLimits,
    };
  }

  #readKey(entry: KeyEntry, path: JsonPath): GatewayKey | undefined {
    const { isPublic, now, report, warn } = this.#context;
    if ((entry.sha256 === undefined) === (entry.key === undefined)) {
      report(path, entry.key === undefined ? 'needs `sha256`' : 'must not have both `sha256` and `key`');
      return undefined;
    }
    if (entry.key !== undefined) {
      warn([...path, 'key'], 'this is the key itself; its `sha256` in its place would be no secret');
      if (isShortKey(entry.key)) (isPublic ? report : warn)([...path, 'key'], `the key ${shortKeyProblem}`);
    }
    const sha256 = entry.sha256?.toLowerCase() ?? hashOfKey(entry.key ?? '');
    const earlier = this.#places.get(sha256);
    if (earlier !== undefined) report(path, `the same key as ${earlier}`);
    this.#places.set(sha256, formatPath(path));
    const key = { sha256, expiresAt: entry.expires === undefined ? undefined : Date.parse(entry.expires) };
    if (isExpired(key, now)) warn([...path, 'expires'], 'this time is over: the key is not valid any more');
    return key;
  }

  /** The name of the model, whichever of its names is given. */
  #readModel(name: string, path: JsonPath): string {
    const { models, aliases } = this.#context.models;
    const model = aliases.get(name) ?? name;
    const known = models.map((one) => one.name);
    if (!known.includes(model)) {
      this.#context.report(path, `no model or alias has this name${suggest(name, [...known, ...aliases.keys()])}`);
    }
    return model;
  }
}
