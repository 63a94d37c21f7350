import type { EditInputs, InputReader, InputStore } from './image-input.ts';

/** Keeps the inputs of edits that run later, also across restarts. */
export interface KeptInputs {
  /**
   * Copies the inputs of an edit. Resolves with the name under which they are found, once they are durable. Rejects with the
   * GatewayErrors `storage_failed` and `storage_full`.
   */
  keep(consumer: string, edit: EditInputs): Promise<string>;
  /** Reads what was kept; releasing it removes it for good. @param name `undefined`: there are no inputs */
  open(name: string | undefined): InputReader & Pick<InputStore, 'release'>;
  /** Removes what no job uses. @param inUse names of those that are used */
  removeUnused(inUse: readonly string[]): Promise<void>;
}
