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
