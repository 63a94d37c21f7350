import type { Dialect, DialectTarget } from '../domain/dialect.ts';
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

/**
 * GETs that cost nothing. No POST is among them, not even one that Azure would refuse: that a body without a prompt makes
 * nothing is not certain of every model.
 */
export type FreeProbe = {
  /** Sent in turn until one is not a 404. Whoever may send them is known to the resource. */
  readonly credential: readonly [URL, ...URL[]];
  /** A 404 to one of these says that what it names does not exist. Empty: nothing that is free tells. */
  readonly parts: readonly { readonly what: string; readonly url: URL }[];
  /** Whether the target is a Foundry project, and not a resource. */
  readonly isProject: boolean;
};

/** One upstream protocol: a dialect is a folder that exports this, and a line in `app.ts`. */
export interface ProviderDescriptor<Config extends DialectTarget = DialectTarget> extends Dialect<Config> {
  create(config: Config, deps: ProviderDeps): ImageProvider;
  /** What the doctor asks. */
  probe(config: Config): FreeProbe;
}
