import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { logicalModel, passThroughTo } from './app/configured-models.ts';
import { type ModelsConfig, priceOf, type TargetConfig } from './config/models-config.ts';
import { targetIdentity } from './config/target-identity.ts';
import { createImageConverter } from './conversion/image-conversions.ts';
import type { Consumer } from './domain/consumer.ts';
import type { OpenInputStore } from './domain/image-input.ts';
import type { ImageStore, StoredImage } from './domain/image-store.ts';
import type { ImageUploads } from './domain/image-uploads.ts';
import type { JobStore } from './domain/job-store.ts';
import type { KeptInputs } from './domain/kept-inputs.ts';
import type { Ledger } from './domain/ledger.ts';
import type { QuotaPools } from './domain/quota-pools.ts';
import type { SharedCoolDowns } from './domain/shared-cool-downs.ts';
import type { SharedLimits } from './domain/shared-limits.ts';
import { Accounts } from './generations/accounts.ts';
import { Admission } from './generations/admission.ts';
import { BackgroundJobs } from './generations/background-jobs.ts';
import { createGateway, type Gateway } from './generations/gateway.ts';
import { InFlight } from './generations/in-flight.ts';
import { Jobs } from './generations/jobs.ts';
import { Recovery } from './generations/recovery.ts';
import { KeyStore } from './http/keys/key-store.ts';
import type { Lifecycle } from './http/lifecycle.ts';
import { allowUploads, createServer, defaultServerTimes, loopbackUrl, type ServerTimes } from './http/server.ts';
import type { RuntimeConfig } from './http/surface.ts';
import { hostingAt } from './http/surfaces/files/files-route.ts';
import { type ModelFamily, modelFamily } from './parameters/model-families.ts';
import { azureAsync } from './providers/azure-async/azure-async.ts';
import { azureDeployment, azureV1 } from './providers/azure-images/images-descriptors.ts';
import { flux } from './providers/flux/flux.ts';
import { foundryAgent } from './providers/foundry-agent/foundry-agent.ts';
import { mai } from './providers/mai/mai.ts';
import type { ProviderDescriptor } from './providers/provider-descriptor.ts';
import { HealthSharing } from './targets/health-sharing.ts';
import { createModelCatalog } from './targets/model-catalog.ts';
import type { TargetHealth } from './targets/target-health.ts';
import { TargetHealths } from './targets/target-healths.ts';
import { defaultTimes, type GatewayTimes } from './targets/times.ts';
import { createTelemetry, type ReloadRecorder } from './telemetry/telemetry.ts';
import { createUpstreamClient, type UpstreamTimes } from './upstream/client.ts';
import { createCredentials } from './upstream/credential.ts';
import type { EntraTokens } from './upstream/entra.ts';
import { createImageDownloads } from './upstream/guarded-download.ts';
import type { TokenTimes } from './upstream/token-source.ts';

/** Every upstream protocol that a target can name, in the order in which messages list them. */
export const providers: readonly ProviderDescriptor[] = [azureAsync, azureDeployment, azureV1, foundryAgent, mai, flux];

/** The one that a valid target names. */
export function providerOf(target: TargetConfig, among = providers): ProviderDescriptor {
  return among.find(({ id }) => id === target.provider) as ProviderDescriptor;
}

/** What a target's deployment can do, by its family, its protocol, and what the operator says. */
export function familyOf(target: TargetConfig, among = providers): ModelFamily {
  const { model, capabilities } = target;
  return modelFamily(model, { ...providerOf(target, among).capabilities?.(target), ...capabilities });
}

export type App = {
  readonly server: FastifyInstance;
  /** The one of the configuration that is in force. */
  readonly gateway: Gateway;
  /** The configuration that is in force. */
  readonly models: ModelsConfig;
  readonly lifecycle: Lifecycle;
  readonly recorder: ReloadRecorder;
  /** The metrics in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Who may call; it can be replaced as a whole while the gateway runs. */
  readonly keyStore: KeyStore;
  /** Takes over the jobs of processes that have died, now and every second. To be called before it listens. */
  recover(): Promise<void>;
  /**
   * Makes everything ready for another models file, and changes nothing yet. What it gives puts that in force at once;
   * requests that have begun go on as they began. To be called before anything else is made ready.
   */
  prepare(models: ModelsConfig, entra: EntraTokens | undefined): () => void;
};

/** Where jobs and images are kept. */
export type Stores = {
  readonly jobs: JobStore & { now(): number };
  /** What several gateways know together of the limits of Azure. */
  readonly quotas: QuotaPools;
  readonly coolDowns?: SharedCoolDowns | undefined;
  readonly images: ImageStore;
  readonly ledger: Ledger;
  /** The inputs of jobs that wait. */
  readonly keptInputs: KeptInputs;
  /** Where several gateways count together what consumers use. */
  readonly sharedLimits?: SharedLimits | undefined;
  /** Whether they outlive the process: only then images have links. */
  readonly areDurable: boolean;
  readonly uploads?: ImageUploads | undefined;
  /** A link to the object store, if there is one. Never rejects. */
  readonly linkTo?: ((image: StoredImage) => Promise<string | undefined>) | undefined;
  /** Applies the limits of another models file. */
  resize(models: ModelsConfig): void;
};

export type AppParts = {
  readonly models: ModelsConfig;
  /** Those that the models file was checked with; by default all there are. */
  readonly providers?: readonly ProviderDescriptor[];
  /** Who may call; without any, everybody. */
  readonly consumers: readonly Consumer[];
  readonly logger: Logger;
  readonly stores: Stores;
  /** The address under which callers reach the gateway; on loopback it is known without. */
  readonly publicBaseUrl?: string | undefined;
  readonly openInputs: OpenInputStore;
  /** Whether the optional package sharp is used as if it were not there, or something else in this process uses it, too. */
  readonly sharp?: 'unused' | 'shared' | undefined;
  /** How long the body of an edit may take to arrive, beside a second for each megabyte. */
  readonly uploadGraceMs?: number;
  readonly corsOrigins?: readonly string[];
  /** Proxies whose `x-forwarded-for` is believed. */
  readonly trustedProxies?: readonly string[];
  /** Shortened in tests. */
  readonly times?: Partial<GatewayTimes & ServerTimes>;
  readonly upstreamTimes?: Partial<UpstreamTimes & TokenTimes>;
  /** The time of day, in milliseconds since 1970: it decides when budgets are reset and models end. Replaced in tests. */
  readonly now?: () => number;
  /** The way to tokens, where a target needs one. */
  readonly entra?: EntraTokens | undefined;
};

/** Puts the modules together; nothing listens yet, and no upstream is called. */
export function buildApp(parts: AppParts): App {
  const { consumers, logger, stores, publicBaseUrl, openInputs, uploadGraceMs = 60_000, now = Date.now } = parts;
  const { jobs: store, images, ledger, keptInputs, sharedLimits, areDurable, linkTo } = stores;
  const telemetry = createTelemetry(logger);
  const lifecycle: Lifecycle = { phase: 'starting' };
  const keyStore = new KeyStore(consumers, sharedLimits);
  // Connections live as long as the process: they keep the way out of the network that they began with.
  const { egressProxy } = parts.models;
  const client = createUpstreamClient(parts.upstreamTimes, egressProxy);
  const downloads = createImageDownloads(undefined, egressProxy);
  const credentialsWith = createCredentials(parts.upstreamTimes);
  const targets = new TargetHealths();
  const sharing = new HealthSharing(stores.coolDowns);
  const admission = new Admission(parts.models.limits, keyStore);
  const inFlight = new InFlight(store, { lingerMs: parts.models.limits.lingerMs, now: () => store.now() });
  const address = { url: publicBaseUrl };
  const hosting = { place: areDurable ? hostingAt(publicBaseUrl, linkTo) : undefined };
  const background = new BackgroundJobs(admission, inFlight);
  const jobs = new Jobs({ inFlight, background, images, hosting });
  const accounts = new Accounts({
    ...{ ledger, recorder: telemetry, now },
    currency: () => current.models.currency,
    budgetOf: (consumer) => keyStore.budgetOf(consumer),
  });
  const converter = parts.sharp === 'unused' ? undefined : createImageConverter(telemetry, parts.sharp === 'shared');
  const converting = converter && { converter, openInputs };
  const common = { inFlight, background, jobs, keptInputs, images, hosting, admission, accounts };
  const running = { ...common, converting, recorder: telemetry };

  /** What depends on the models file; all else lives as long as the process. */
  function configure(models: ModelsConfig, entra: EntraTokens | undefined) {
    const times = { ...defaultTimes, ...models.limits, ...parts.times };
    const identified = models.models.flatMap(({ name, targets }) =>
      targets.map((target) => ({ target, ...targetIdentity(name, target) })),
    );
    const { healths, adopt: adoptHealths } = targets.next(identified, times);
    const upstream = {
      providerOf: (target: TargetConfig) => providerOf(target, parts.providers),
      familyOf: (target: TargetConfig) => familyOf(target, parts.providers),
      client,
      downloads,
      openInputs,
      credential: credentialsWith(entra),
      price: (target: TargetConfig) => priceOf(target, models),
      quota: (name: string) => stores.quotas.pool(name),
      now,
      healthOf: new Map(identified.map(({ target }, index) => [target, healths[index] as TargetHealth])),
    };
    const catalog = createModelCatalog({
      models: models.models.map((model) => logicalModel(model, upstream)),
      aliases: models.aliases,
      defaultModel: models.defaultModel,
    });
    const config: RuntimeConfig = {
      gateway: createGateway({ ...running, catalog, times }),
      uploadLimits: { uploadBytes: models.uploadBytes, graceMs: uploadGraceMs },
      inputDownload: models.imageUrls === 'download' ? downloads.fromAnywhere : undefined,
      passThrough: models.responses && passThroughTo(models.responses, upstream),
      currency: models.currency,
      address,
    };
    const adopt = () => {
      adoptHealths();
      stores.quotas.configure(models.quotas);
      sharing.use(identified, healths);
      admission.resize(models.limits);
      inFlight.lingerMs = times.lingerMs;
      stores.resize({ ...models, limits: { ...models.limits, lingerMs: times.lingerMs } });
    };
    return { next: { models, config }, adopt };
  }

  const { next: current, adopt } = configure(parts.models, parts.entra);
  adopt();
  telemetry.watch(() => current.config.gateway.state);
  telemetry.watchJobs(store);
  if (stores.uploads) telemetry.watchUploads(stores.uploads);
  telemetry.watchBudgets(() => accounts.usages(keyStore.names));
  telemetry.watchQuotas(() => stores.quotas.figures());
  const recovery = new Recovery({ ...running, gateway: () => current.config.gateway });
  const server = createServer({
    current,
    admission,
    keyStore,
    lifecycle,
    store: areDurable ? images : undefined,
    recorder: telemetry,
    openInputs,
    corsOrigins: parts.corsOrigins ?? [],
    trustedProxies: parts.trustedProxies ?? [],
    ...{ ...defaultServerTimes, ...parts.times },
    metrics: telemetry.metrics,
  });
  server.addHook('onListen', async () => {
    address.url ??= loopbackUrl(server);
    if (areDurable) hosting.place ??= hostingAt(address.url, linkTo);
  });
  server.addHook('onClose', async () => {
    // Every connected client has its response. What still runs has lost its client, and a shutdown gives it the time to end.
    if (lifecycle.phase === 'closing') await inFlight.settled();
    recovery.stop();
    sharing.stop();
    background.giveUp();
    inFlight.cancelAll();
    await Promise.all([inFlight.recorded(), background.settled()]);
    await Promise.all([client.close(), downloads.close(), images.close(), store.close()]);
  });
  return {
    server,
    get gateway() {
      return current.config.gateway;
    },
    get models() {
      return current.models;
    },
    lifecycle,
    recorder: telemetry,
    metrics: telemetry.metrics,
    keyStore,
    recover: async () => void (await Promise.all([recovery.start(), sharing.start()])),
    prepare(models, entra) {
      const { next, adopt } = configure(models, entra);
      return () => {
        Object.assign(current, next);
        adopt();
        allowUploads(server, next.config);
      };
    },
  };
}
