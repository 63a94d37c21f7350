import type { ModelConfig, ResponsesConfig, TargetConfig } from '../config/models-config.ts';
import { requestDefaults } from '../config/request-defaults.ts';
import type { CredentialSource } from '../domain/credential-source.ts';
import type { OpenInputStore } from '../domain/image-input.ts';
import type { PassThrough } from '../domain/pass-through.ts';
import type { Price } from '../domain/price.ts';
import type { QuotaPool } from '../domain/quota-pools.ts';
import type { ModelFamily } from '../parameters/model-families.ts';
import { forwardedFault } from '../providers/azure/forwarded-fault.ts';
import type { ProviderDescriptor } from '../providers/provider-descriptor.ts';
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
    targets: model.targets.map((target) => createTarget(target, upstream)),
  };
}

function createTarget(target: TargetConfig, { client, openInputs, ...upstream }: Upstream): Target {
  const { name, priority, weight, baseURL, downloadOrigins } = target;
  const descriptor = upstream.providerOf(target);
  return {
    name,
    priority,
    weight,
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

/** Where requests of the Responses API go that the gateway does not run itself. */
export function passThroughTo({ target, image }: ResponsesConfig, { client, credential }: Upstream): PassThrough {
  const parts = { client, credential: credential(target.credential), faultOf: forwardedFault };
  return createPassThrough({ ...parts, baseURL: target.baseURL, imageDeployment: image?.deployment });
}
