import type { CredentialSource } from '../domain/credential-source.ts';
import type { DialectTarget } from '../domain/dialect.ts';
import type { EgressProxy } from '../domain/egress-proxy.ts';
import type { CapabilityOverrides } from '../domain/model-capabilities.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import type { Price, PriceList } from '../domain/price.ts';
import type { QuotaLimits } from '../domain/quota-pools.ts';
import { listPriceOf } from './list-prices.ts';

/** The models file as the gateway uses it: validated, with defaults, deeply frozen. */
export type ModelsConfig = {
  /** Name of a model, never of an alias. */
  readonly defaultModel?: string;
  /** Alias → name of a model. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly models: readonly ModelConfig[];
  /** Of all prices: the code of ISO 4217. */
  readonly currency: string;
  /** What calls cost, by the family of their target, in lower case. */
  readonly prices: ReadonlyMap<string, PriceList>;
  /** Whether calls that have no other price have the list price of their model. */
  readonly hasListPrices?: boolean;
  /** What quotas allow that targets share, by name. */
  readonly quotas: ReadonlyMap<string, QuotaLimits>;
  /** What the process takes on; times in milliseconds. */
  readonly limits: ProcessLimits;
  readonly storeLimits: StoreLimits;
  /** The longest body of an edit. */
  readonly uploadBytes: number;
  /** What happens to edits whose images are links. */
  readonly imageUrls: 'refuse' | 'download';
  /** How long a shutdown waits for running requests, in milliseconds. */
  readonly drainMs: number;
  /** Where requests of the Responses API are forwarded; without it, none are. */
  readonly responses?: ResponsesConfig;
  /** Through which calls by https leave the network. */
  readonly egressProxy?: EgressProxy;
  /** What the operator should see to although it is allowed, one line each. */
  readonly warnings: readonly string[];
};

/** The one v1 resource that gets the requests of the Responses API that the gateway does not run itself. */
export type ResponsesConfig = {
  readonly target: {
    /** Ends with `/v1`. */
    readonly baseURL: string;
    readonly credential: CredentialSource;
  };
  /** Which deployment the image tool of chat models calls; without it, forwarded requests do not say. */
  readonly image?: {
    /** The logical model. */
    readonly model: string;
    readonly deployment: string;
  };
};

/** What the process takes on. */
export type ProcessLimits = {
  /** Requests that are worked on at once. */
  readonly inFlight: number;
  readonly heldBytes: number;
  readonly queueMs: number;
  readonly lingerMs: number;
};

/** What the image store holds. */
export type StoreLimits = {
  /** How long new images can be retrieved. */
  readonly keepHours: number;
  /** Without it, the store takes most of what its file system has left. */
  readonly storeBytes?: number;
};

/** One logical model: a name that clients use, served by one or more targets. */
export type ModelConfig = {
  readonly name: string;
  /** Time one request may take, from its start to the last byte of its response, in milliseconds. */
  readonly timeoutMs: number;
  readonly defaults: ModelDefaults;
  /** What happens to parameters that a target's family does not do. */
  readonly parameters: ParameterPolicy;
  readonly maxRetries: number;
  /** `retry`: one call whose outcome is unknown is repeated. */
  readonly onUnknownOutcome: 'stop' | 'retry';
  /** `deliver`: images are delivered although others of the same request failed; otherwise it is all or nothing. */
  readonly partialSuccess?: 'deliver';
  readonly targets: readonly TargetConfig[];
};

/** Parameters, in their wire names, for requests that leave them out. */
export type ModelDefaults = {
  readonly size?: string;
  readonly quality?: string;
  readonly background?: string;
  readonly output_format?: string;
  /** Per cent, 0 to 100. */
  readonly output_compression?: number;
  readonly moderation?: string;
  readonly style?: string;
  readonly response_format?: 'url' | 'b64_json';
};

/** One upstream deployment; the keys of its dialect stand beside these. */
export type TargetConfig = DialectTarget & {
  /** Unique within the model; the position (`1`, `2`, …) when the file gives none. */
  readonly name: string;
  /** Lower is tried first. */
  readonly priority: number;
  /** Share among the targets of one priority. */
  readonly weight: number;
  readonly credential: CredentialSource;
  /** The day on which its model ends, or `never`, if that is not what is published. */
  readonly retires?: string;
  /** The name of the target of the same model that takes its place on a day. */
  readonly replacedBy?: { readonly target: string; readonly from: string };
  /** The name of the quota that its calls are counted against. */
  readonly quota?: string;
  /** Calls that may run at once; without it, any number. */
  readonly maxConcurrent?: number;
  /** Further origins from which result images may be downloaded. */
  readonly downloadOrigins: readonly string[];
  /** Whether one image is asked for as a stream of the upstream even where the caller wants none. */
  readonly upstreamStream: 'never' | 'always';
  /** What this deployment can do otherwise than its family. */
  readonly capabilities: CapabilityOverrides;
  /** What its calls cost, if that is not what the file's `prices` say. */
  readonly price?: PriceList;
};

/** What a target's calls cost, where that is known. */
export function priceOf(
  { model, price }: TargetConfig,
  { currency, prices, hasListPrices }: Pick<ModelsConfig, 'currency' | 'prices' | 'hasListPrices'>,
): Price | undefined {
  const own = price ?? prices.get(model.toLowerCase());
  if (own !== undefined) return { ...own, currency };
  const published = hasListPrices ? listPriceOf(model) : undefined;
  return published && { ...published, currency, isEstimate: true };
}

/** Whether any target shows tokens. */
export function needsTokens({ models, responses }: ModelsConfig): boolean {
  const targets = [...models.flatMap((model) => model.targets), ...(responses ? [responses.target] : [])];
  return targets.some(({ credential }) => 'scope' in credential);
}
