import type { IncomingHttpHeaders } from 'node:http';

/** What a request would like (RFC 7240): to be responded to before it is done, and how long it waits for that. */
export type Preferences = {
  readonly respondsAsync: boolean;
  /** In milliseconds; `undefined`: it does not say. */
  readonly waitMs: number | undefined;
};

/** Some connections are closed when nothing comes for a minute. */
const maxWaitS = 60;

/** Preferences that are unknown, or not as the RFC has them, count as absent: they are wishes. */
export function readPreferences({ prefer }: IncomingHttpHeaders): Preferences {
  // A comma within quotes separates nothing.
  const wishes = [prefer ?? []].flat().flatMap((value) => value.match(/(?:"[^"]*"|[^,"])+/g) ?? []);
  const plain = wishes.map((wish) => wish.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  const wait = plain
    .map((wish) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(wish)?.[1])
    .find((seconds) => seconds !== undefined);
  return {
    respondsAsync: plain.includes('respond-async'),
    waitMs: wait === undefined ? undefined : Math.min(Number(wait), maxWaitS) * 1_000,
  };
}

/** What was made of them, as `preference-applied` says it; `undefined`: nothing. */
export function appliedPreferences({ respondsAsync, waitMs }: Preferences): string | undefined {
  const applied = [
    ...(respondsAsync ? ['respond-async'] : []),
    ...(waitMs === undefined ? [] : [`wait=${waitMs / 1_000}`]),
  ];
  return applied.length === 0 ? undefined : applied.join(', ');
}
