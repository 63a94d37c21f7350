import { Secret } from '../../src/domain/secret.ts';
import type { EntraTokens } from '../../src/upstream/entra.ts';
import type { AccessToken } from '../../src/upstream/token-source.ts';

/** A way to tokens, instead of Microsoft's. */
export type TokenDesk = {
  readonly entra: EntraTokens;
  /** From now on everything is in order. */
  heal(): void;
};

/** How all tokens begin; each has a number of its own behind it, from 1. */
export const tokenPrefix = 'token-canary-';

/** No token within this time is none. Nobody is made to wait after a failure, so that the next call tries again. */
export const scaledTokenTimes = { acquireMs: 300, pauseMs: 0, maxPauseMs: 0 };

const hourMs = 3_600_000;

/** Gives tokens, save where `play` has something else to do with the `index`th wish for one, from 0. */
export function startTokenDesk(play: (index: number) => Promise<AccessToken> | undefined = () => undefined): TokenDesk {
  let wishes = 0;
  let isHealed = false;
  return {
    entra: () => async () => {
      const index = wishes++;
      const played = isHealed ? undefined : play(index);
      return played ?? { token: new Secret(`${tokenPrefix}${index + 1}`), expiresAt: Date.now() + hourMs };
    },
    heal() {
      isHealed = true;
    },
  };
}

/** Whether a request shows this token. */
export const shows = (authorization: string | undefined, number: number): boolean =>
  authorization === `Bearer ${tokenPrefix}${number}`;
