import type { ModelConfig, ResponsesConfig, TargetConfig } from '../config/models-config.ts';
import { requestDefaults } from '../config/request-defaults.ts';
import type { CredentialSource } from '../domain/credential-source.ts';
import type { OpenInputStore } from '../domain/image-input.ts';
import type { PassThrough } from '../domain/pass-through.ts';
import type { Price } from '../domain/price.ts';
import type { QuotaPool } from '../domain/quota-pools.ts';
import { hasCome, type Retirement } from '../domain/retirement.ts';
import type { ModelFamily } from '../parameters/model-families.ts';
import { retirementOf } from '../parameters/retirements.ts';
import { forwardedFault } from '../providers/azure/forwarded-fault.ts';
import type { ProviderDescriptor } from '../providers/provider-descriptor.ts';
import { type Lifetime, priorityAt } from '../targets/lifetime.ts';
import type { LogicalModel, Target } from '../targets/model-catalog.ts';
import type { TargetHealth } from '../targets/target-health.ts';
import { createPassThrough } from '../upstream/azure-pass-through.ts';
import type { UpstreamClient } from '../upstream/client.ts';
import type { Credential } from '../upstream/credential.ts';
import type { ImageDownloads } from '../upstream/guarded-download.ts';

/** What targets and the pass-through are made of. */
export type Upstream = {
  providerOf(target: TargetConfig): ProviderDescriptor;
  familyOf(target: TargetConfig): ModelFamily;
  readonly client: UpstreamClient;
  readonly downloads: ImageDownloads;
  readonly openInputs: OpenInputStore;
  credential(source: CredentialSource): Credential;
  price(target: TargetConfig): Price | undefined;
  quota(name: string): QuotaPool;
  readonly healthOf: ReadonlyMap<TargetConfig, TargetHealth>;
  /** The time of day, in milliseconds since 1970. */
  now(): number;
};

/** A model of the models file, with the targets that its requests go to. */
export function logicalModel(model: ModelConfig, upstream: Upstream): LogicalModel {
  return {
    name: model.name,
    timeoutMs: model.timeoutMs,
    defaults: requestDefaults(model.defaults),
    parameters: model.parameters,
    partialSuccess: model.partialSuccess,
    maxRetries: model.maxRetries,
    onUnknownOutcome: model.onUnknownOutcome,
    targets: model.targets.map((target) => createTarget(target, model, upstream)),
  };
}

function createTarget(
  target: TargetConfig,
  model: ModelConfig,
  { client, openInputs, now, ...upstream }: Upstream,
): Target {
  const { name, weight, baseURL, downloadOrigins } = target;
  const descriptor = upstream.providerOf(target);
  const retirement = retirementOf(target);
  const lifetime = lifetimeOf(target, model, retirement);
  return {
    name,
    get priority() {
      return priorityAt(lifetime, now());
    },
    weight,
    retirement,
    get isRetired() {
      return retirement !== undefined && hasCome(retirement.date, now());
    },
    family: upstream.familyOf(target),
    upstreamStream: target.upstreamStream,
    price: upstream.price(target),
    health: upstream.healthOf.get(target) as TargetHealth,
    quota: target.quota === undefined ? undefined : upstream.quota(target.quota),
    provider: descriptor.create(target, { client, openInputs, credential: upstream.credential(target.credential) }),
    calls: descriptor.addresses(target),
    download: upstream.downloads.allowing([new URL(baseURL).origin, ...downloadOrigins]),
  };
}

function lifetimeOf(
  { name, priority, replacedBy }: TargetConfig,
  { targets }: ModelConfig,
  retirement: Retirement | undefined,
): Lifetime {
  const ends = [retirement?.date, replacedBy?.from].filter((day) => day !== undefined);
  return { priority, ends, replaces: replacedTargets(name, targets) };
}

/** The places that a target takes: of those that it replaces, and of those that these have replaced. */
function replacedTargets(name: string, targets: readonly TargetConfig[]): Lifetime['replaces'] {
  return targets.flatMap(({ name: replaced, priority, replacedBy }) => {
    if (replacedBy?.target !== name) return [];
    const { from } = replacedBy;
    const earlier = replacedTargets(replaced, targets).map((one) => ({
      ...one,
      from: one.from > from ? one.from : from,
    }));
    return [{ priority, from }, ...earlier];
  });
}

/** Where requests of the Responses API go that the gateway does not run itself. */
export function passThroughTo({ target, image }: ResponsesConfig, { client, credential }: Upstream): PassThrough {
  const parts = { client, credential: credential(target.credential), faultOf: forwardedFault };
  return createPassThrough({ ...parts, baseURL: target.baseURL, imageDeployment: image?.deployment });
}
