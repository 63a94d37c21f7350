import type { GenerationReader } from '../domain/generation.ts';
import { RetryBudget } from '../targets/retry-budget.ts';
import { GenerationRegistry } from './generation-registry.ts';

/** What a process has under way, whichever configuration each request began with. */
export class RunningWork {
  readonly generations = new Set<GenerationReader>();
  /** Generations that have lost their callers, and unknown outcomes of a moment ago. */
  readonly registry: GenerationRegistry;
  readonly budget = new RetryBudget();
  #isClosed = false;

  constructor(lingerMs: number) {
    this.registry = new GenerationRegistry(lingerMs);
  }

  /** Whether nothing may begin any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ends everything that is running, so that each caller still gets an answer. */
  cancelAll(): void {
    // An upload may be complete only now.
    this.#isClosed = true;
    for (const generation of this.generations) generation.cancel('shutdown');
  }
}
