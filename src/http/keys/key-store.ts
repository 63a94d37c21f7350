import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Budget } from '../../domain/budget.ts';
import { type Consumer, type GatewayKey, hashOfKey, isExpired } from '../../domain/consumer.ts';
import type { SharedLimits } from '../../domain/shared-limits.ts';
import { ConsumerUsage } from './consumer-usage.ts';

type Known = { readonly digest: Buffer; readonly key: GatewayKey; readonly consumer: ConsumerUsage };

/** Whose key it is, and whether it is still valid. */
export type Found = { readonly consumer: ConsumerUsage; readonly isExpired: boolean };

/**
 * All keys of the gateway. They are looked up by a salted hash of the whole key and compared in constant time, so that how
 * long it takes reveals nothing about a key.
 */
export class KeyStore {
  readonly #salt = randomBytes(32).toString('base64');
  readonly #nobody = randomBytes(32);
  readonly #shared: SharedLimits | undefined;
  #known: ReadonlyMap<string, Known> = new Map();
  #consumers: ReadonlyMap<string, ConsumerUsage> = new Map();
  /** True while no key was ever known: every request is accepted, and the gateway listens on loopback only. */
  isOpen = true;
  /** How many consumers there are. */
  size = 0;

  /** @param shared where several gateways count together what a consumer uses */
  constructor(consumers: readonly Consumer[], shared?: SharedLimits) {
    this.#shared = shared;
    this.replace(consumers);
  }

  /**
   * Replaces all consumers, between two requests. Who stays, by name, keeps its usage; keys that are gone are refused at once.
   * A store that has needed keys goes on to need them, even where none is left.
   */
  replace(consumers: readonly Consumer[]): void {
    const usages = new Map(consumers.map((consumer) => [consumer.name, this.#usageOf(consumer)]));
    const known = new Map<string, Known>();
    for (const { name, keys } of consumers) {
      const consumer = usages.get(name) as ConsumerUsage;
      for (const key of keys) {
        const digest = this.#digest(key.sha256);
        if (!known.has(digest.toString('hex'))) known.set(digest.toString('hex'), { digest, key, consumer });
      }
    }
    this.#consumers = usages;
    this.#known = known;
    this.size = usages.size;
    this.isOpen &&= consumers.length === 0;
  }

  /** The names of all consumers. */
  get names(): readonly string[] {
    return [...this.#consumers.keys()];
  }

  /** What a consumer may spend; `undefined`: as much as it likes, or it is not there any more. */
  budgetOf(name: string): Budget | undefined {
    return this.#consumers.get(name)?.budget;
  }

  /** `undefined`: the key is not known. */
  find(key: string): Found | undefined {
    const presented = this.#digest(hashOfKey(key));
    const known = this.#known.get(presented.toString('hex'));
    // Compared on a miss as well, so that both take as long.
    if (!timingSafeEqual(presented, known?.digest ?? this.#nobody) || known === undefined) return undefined;
    return { consumer: known.consumer, isExpired: isExpired(known.key, Date.now()) };
  }

  #digest(sha256: string): Buffer {
    return hash('sha256', `${this.#salt}${sha256}`, 'buffer');
  }

  #usageOf(consumer: Consumer): ConsumerUsage {
    const usage = this.#consumers.get(consumer.name);
    usage?.adjust(consumer);
    return usage ?? new ConsumerUsage(consumer, this.#shared);
  }
}
