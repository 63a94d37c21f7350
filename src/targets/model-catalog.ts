import { nearestWord } from '../codec/nearest-word.ts';
import type { PlannedCall } from '../domain/dialect.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageDownload } from '../domain/image-download.ts';
import type { ImageProvider } from '../domain/image-provider.ts';
import type { RequestDefaults } from '../domain/image-request.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import type { Price } from '../domain/price.ts';
import type { QuotaPool } from '../domain/quota-pools.ts';
import type { Retirement } from '../domain/retirement.ts';
import type { ModelFamily } from '../parameters/model-families.ts';
import type { TargetHealth } from './target-health.ts';

/** One upstream deployment behind a logical model. */
export type Target = {
  readonly name: string;
  /** Targets with a lower number are tried first; among equals, by weight. It may change on a day. */
  readonly priority: number;
  readonly weight: number;
  readonly family: ModelFamily;
  /** When its model ends, where that is known, and whether that day has come. */
  readonly retirement?: Retirement | undefined;
  readonly isRetired?: boolean;
  /** `always`: one image is asked for as a stream of the upstream even where the caller wants none. */
  readonly upstreamStream: 'never' | 'always';
  readonly provider: ImageProvider;
  /** Where its paid calls go, for the command `check`. */
  readonly calls: readonly PlannedCall[];
  /** What its calls cost, where that is known. */
  readonly price?: Price | undefined;
  readonly health: TargetHealth;
  /** The quota that its calls are counted against. */
  readonly quota?: QuotaPool | undefined;
  /** Fetches result images from where this target may keep them. */
  readonly download: ImageDownload;
};

/** What callers name: a model of the gateway's own, served by one or more targets. */
export type LogicalModel = {
  readonly name: string;
  /** The longest that a request may take; callers may ask for less. */
  readonly timeoutMs: number;
  readonly defaults: RequestDefaults;
  /** What happens to parameters that a target's family does not do. */
  readonly parameters: ParameterPolicy;
  /** `deliver`: the images of the calls that worked are delivered when others of the same request failed. */
  readonly partialSuccess: 'deliver' | undefined;
  /** How many failed calls one request may repeat. */
  readonly maxRetries: number;
  /** `retry`: one call whose outcome is unknown is repeated, although it may be billed twice. */
  readonly onUnknownOutcome: 'stop' | 'retry';
  readonly targets: readonly Target[];
};

/** The day on which the last of its targets ends; `undefined` where that is not known of one of them. */
export function shutdownDate({ targets }: LogicalModel): string | undefined {
  const dates = targets.map(({ retirement }) => retirement?.date);
  return dates.includes(undefined) ? undefined : dates.toSorted().at(-1);
}

type Models = {
  readonly models: readonly LogicalModel[];
  /** Alias → name of a model. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly defaultModel: string | undefined;
};

export interface ModelCatalog extends Models {
  /** Names and aliases, in the order of the configuration. */
  readonly names: readonly string[];
  /** Those of them that lead to one of these models. @param allowed names of models; `undefined`: all */
  namesOf(allowed: ReadonlySet<string> | undefined): readonly string[];
  /**
   * The model of that name or alias, or the default one without a name. Throws `model_not_found`, with the nearest name
   * that is allowed. A model that is not allowed looks like one that does not exist.
   */
  find(name: string | undefined, allowed?: ReadonlySet<string>): LogicalModel;
}

export function createModelCatalog({ models, aliases, defaultModel }: Models): ModelCatalog {
  const byName = new Map(models.map((model) => [model.name, model]));
  const names = [...byName.keys(), ...aliases.keys()];
  const isAllowed = (name: string, allowed: ReadonlySet<string> | undefined) =>
    allowed === undefined || allowed.has(aliases.get(name) ?? name);
  const namesOf = (allowed: ReadonlySet<string> | undefined) => names.filter((name) => isAllowed(name, allowed));
  return {
    models,
    aliases,
    defaultModel,
    names,
    namesOf,
    find(asked, allowed) {
      const fallback = defaultModel !== undefined && isAllowed(defaultModel, allowed) ? defaultModel : undefined;
      const name = asked ?? fallback;
      if (name === undefined) {
        throw new GatewayError('missing_required_parameter', "'model' is missing, and there is no default model.", {
          param: 'model',
        });
      }
      const model = byName.get(aliases.get(name) ?? name);
      if (model !== undefined && isAllowed(name, allowed)) return model;
      const near = nearestWord(name, namesOf(allowed));
      const suggestion = near === undefined ? '' : ` Did you mean '${near}'?`;
      const message = `The model '${shortened(name)}' does not exist.${suggestion}`;
      throw new GatewayError('model_not_found', message, { param: 'model' });
    },
  };
}

function shortened(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
