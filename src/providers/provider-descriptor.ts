import type { Dialect, DialectTarget } from '../domain/dialect.ts';
import type { FreeProbe } from '../domain/free-probe.ts';
import type { OpenInputStore } from '../domain/image-input.ts';
import type { ImageProvider } from '../domain/image-provider.ts';
import type { UpstreamClient } from '../upstream/client.ts';
import type { Credential } from '../upstream/credential.ts';

/** What a provider works with; all of it belongs to the process. */
export type ProviderDeps = {
  readonly client: UpstreamClient;
  readonly credential: Credential;
  /** Keeps images out of memory that cannot be handed on yet. */
  readonly openInputs: OpenInputStore;
};

/** One upstream protocol: a dialect is a folder that exports this, and a line in `app.ts`. */
export interface ProviderDescriptor<Config extends DialectTarget = DialectTarget> extends Dialect<Config> {
  create(config: Config, deps: ProviderDeps): ImageProvider;
  /** What the doctor asks. */
  probe(config: Config): FreeProbe;
}
