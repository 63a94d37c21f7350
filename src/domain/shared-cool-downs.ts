import type { ErrorKind } from './gateway-error.ts';

/**
 * What a process has learned about a target, and others should know: it has asked for a wait (`cool-down`), or fails by itself
 * (`breaker`). Times are those of the store's clock, in milliseconds.
 */
export type SharedCoolDown = {
  /** Names the target in every process that has it. Holds no credential. */
  readonly target: string;
  readonly what: 'cool-down' | 'breaker';
  /** When it is tried again. */
  readonly until: number;
  /** What the target has asked for, which may be much longer. */
  readonly askedUntil: number;
  /** What it failed with: our own words, not Azure's. */
  readonly kind: ErrorKind;
  readonly message: string;
};

/** Where processes tell each other about targets. */
export interface SharedCoolDowns {
  /** The clock of `until`. */
  now(): number;
  /** Tells the others. Never rejects. */
  tell(coolDown: SharedCoolDown): Promise<void>;
  /** What others have told, and is not over. Rejects when the store is not available. */
  read(): Promise<readonly SharedCoolDown[]>;
}
