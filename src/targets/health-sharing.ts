import { createHash } from 'node:crypto';
import { GatewayError } from '../domain/gateway-error.ts';
import type { SharedCoolDown, SharedCoolDowns } from '../domain/shared-cool-downs.ts';
import type { Learned, TargetHealth } from './target-health.ts';
import type { TargetIdentity } from './target-healths.ts';

/** What tells a target from others, in every process that has it. */
export type SharedTarget = Pick<TargetIdentity, 'place' | 'calls'>;

const everyMs = 1_000;

/**
 * Tells other processes which targets have asked for a wait, or fail by themselves, and learns from them: so one process's
 * failures spare the others. What was learned is taken over once; a success of this process ends it here.
 */
export class HealthSharing {
  readonly #store: SharedCoolDowns | undefined;
  readonly #everyMs: number;
  #targets = new Map<string, TargetHealth[]>();
  /** By target and kind: until when, as others have told it last. */
  #known = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /**
   * @param store none where there are no other processes
   * @param intervalMs how often it is looked what others have told
   */
  constructor(store: SharedCoolDowns | undefined, intervalMs = everyMs) {
    this.#store = store;
    this.#everyMs = intervalMs;
  }

  /** From now on these are the targets. @param healths what is known about them, in the same order */
  use(targets: readonly SharedTarget[], healths: readonly TargetHealth[]): void {
    for (const health of [...this.#targets.values()].flat()) health.onLearned = undefined;
    this.#targets = new Map();
    const store = this.#store;
    if (store === undefined) return;
    for (const [index, health] of healths.entries()) {
      const key = keyOf(targets[index] as SharedTarget);
      this.#targets.set(key, [...(this.#targets.get(key) ?? []), health]);
      health.onLearned = (learned) => void store.tell(told(store, key, learned));
    }
    // What others have told may be about a target that is new here.
    this.#known = new Map();
  }

  /** Looks now, and then again and again. Resolves when it has looked once. */
  async start(): Promise<void> {
    const store = this.#store;
    if (store === undefined) return;
    await this.#look(store);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.start(), this.#everyMs).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #look(store: SharedCoolDowns): Promise<void> {
    // Without its store a process knows what it has seen itself.
    for (const told of await store.read().catch(() => [])) {
      const name = `${told.target} ${told.what}`;
      if (this.#known.get(name) === told.until) continue;
      this.#known.set(name, told.until);
      const learned = learnedFrom(store, told);
      for (const health of this.#targets.get(told.target) ?? []) health.adopt(learned);
    }
  }
}

function told(store: SharedCoolDowns, target: string, learned: Learned): SharedCoolDown {
  const toStore = store.now() - performance.now();
  const until = Math.ceil(learned.until + toStore);
  if (learned.what === 'breaker') {
    return { target, what: 'breaker', until, askedUntil: until, kind: 'upstream_unavailable', message: '' };
  }
  const { askedUntil, error } = learned;
  const { kind, message } = error;
  return { target, what: 'cool-down', until, askedUntil: Math.ceil(askedUntil + toStore), kind, message };
}

function learnedFrom(store: SharedCoolDowns, { what, until, askedUntil, kind, message }: SharedCoolDown): Learned {
  const toHere = performance.now() - store.now();
  if (what === 'breaker') return { what, until: until + toHere };
  const error = new GatewayError(kind, message, { outcome: 'not-processed' });
  return { what, until: until + toHere, askedUntil: askedUntil + toHere, error };
}

/** Names a target in every process that is configured alike. */
function keyOf({ place, calls }: SharedTarget): string {
  return createHash('sha256')
    .update(JSON.stringify([place, calls]))
    .digest('base64url');
}
