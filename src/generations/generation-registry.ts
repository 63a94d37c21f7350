import type { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader } from '../domain/generation.ts';

/** Who asks for what: only the same caller's equal request may take a generation over. */
export type Claim = { readonly caller: string; readonly fingerprint: string };

/** What an equal request gets instead of a new generation. */
export type Taken = { readonly generation: GenerationReader } | { readonly unknown: GatewayError };

type Shared = { readonly error: GatewayError; readonly timer: NodeJS.Timeout };

/**
 * Generations whose callers have left, for a while, and unknown outcomes of a moment ago (RELIABILITY §3.5): a caller's
 * own retry gets these, so that it does not buy the same image twice. Each orphan is taken at most once, the oldest
 * first; a generation whose caller is still there is never in here.
 */
export class GenerationRegistry {
  /** How long what comes in from now on stays. */
  lingerMs: number;
  readonly #orphans = new Map<string, Map<GenerationReader, NodeJS.Timeout>>();
  readonly #unknown = new Map<string, Shared>();

  constructor(lingerMs: number) {
    this.lingerMs = lingerMs;
  }

  /** How many generations linger. */
  get orphans(): number {
    return [...this.#orphans.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Keeps a generation whose caller has left; `giveUp` is called when nobody has taken it in time. */
  add(claim: Claim, generation: GenerationReader, giveUp: () => void): void {
    if (this.lingerMs === 0) {
      giveUp();
      return;
    }
    const name = nameOf(claim);
    const waiting = this.#orphans.get(name) ?? new Map<GenerationReader, NodeJS.Timeout>();
    clearTimeout(waiting.get(generation));
    const timer = setTimeout(() => {
      this.#remove(name, generation);
      giveUp();
    }, this.lingerMs);
    waiting.set(generation, timer);
    this.#orphans.set(name, waiting);
  }

  /** Lets equal requests know, for a while, that this one may have been billed already. */
  share(claim: Claim, error: GatewayError): void {
    const name = nameOf(claim);
    clearTimeout(this.#unknown.get(name)?.timer);
    const timer = setTimeout(() => this.#unknown.delete(name), this.lingerMs).unref();
    this.#unknown.set(name, { error, timer });
  }

  take(claim: Claim): Taken | undefined {
    if (this.#orphans.size === 0 && this.#unknown.size === 0) return undefined;
    const name = nameOf(claim);
    const [oldest] = this.#orphans.get(name)?.keys() ?? [];
    if (oldest !== undefined) {
      this.#remove(name, oldest);
      return { generation: oldest };
    }
    const unknown = this.#unknown.get(name);
    return unknown && { unknown: unknown.error };
  }

  /** Whether a request of this caller might get something that is in here. */
  hasAnyFor(caller: string): boolean {
    const isTheirs = (name: string) => name.startsWith(`${caller} `);
    return [...this.#orphans.keys(), ...this.#unknown.keys()].some(isTheirs);
  }

  #remove(name: string, generation: GenerationReader): void {
    const waiting = this.#orphans.get(name);
    clearTimeout(waiting?.get(generation));
    waiting?.delete(generation);
    if (waiting?.size === 0) this.#orphans.delete(name);
  }
}

function nameOf({ caller, fingerprint }: Claim): string {
  return `${caller} ${fingerprint}`;
}
