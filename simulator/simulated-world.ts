import type { Ledger } from './ledger.ts';
import type { ImageShelf } from './private-images.ts';
import type { TokenDesk } from './token-desk.ts';

/** What all flows of one simulator share. `operationMs` is how long an operation, or a response in background, takes, in milliseconds,
 * `partialMs` the pause between the events of a stream. */
export type SimulatedWorld = {
  readonly apiKey: string;
  readonly operationMs: number;
  readonly partialMs: number;
  readonly ledger: Ledger;
  readonly shelf: ImageShelf;
  readonly tokens: TokenDesk;
};

/** Counts a paid POST once its body is complete. */
export function countReceived({ ledger }: SimulatedWorld) {
  return async (): Promise<void> => ledger.noteReceived();
}
