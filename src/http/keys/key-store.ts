import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Consumer, type GatewayKey, hashOfKey, isExpired } from '../../domain/consumer.ts';
import { KeyAccount } from './key-account.ts';

type Known = { readonly digest: Buffer; readonly key: GatewayKey; readonly account: KeyAccount };

/** Whose key it is, and whether it is still valid. */
export type Found = { readonly account: KeyAccount; readonly isExpired: boolean };

/**
 * All keys of the gateway. They are compared by a salted hash of the whole key, which is looked up, so that neither the
 * time of the look-up nor that of the comparison tells anything about a key (RELIABILITY T19).
 */
export class KeyStore {
  readonly #salt = randomBytes(32).toString('base64');
  readonly #nobody = randomBytes(32);
  #known: ReadonlyMap<string, Known> = new Map();
  #accounts: ReadonlyMap<string, KeyAccount> = new Map();
  #isOpen = true;

  constructor(consumers: readonly Consumer[]) {
    this.replace(consumers);
  }

  /** True while no key was ever known: everybody is let in, and the gateway listens on loopback only. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** How many consumers may call. */
  get size(): number {
    return this.#accounts.size;
  }

  /**
   * Puts others in the place of all consumers, between two requests. Who stays, by name, keeps what it has used; keys that are
   * gone end at once. A ring that has asked for keys goes on to ask for them, even where none is left.
   */
  replace(consumers: readonly Consumer[]): void {
    const accounts = new Map(consumers.map((consumer) => [consumer.name, this.#accountOf(consumer)]));
    const known = new Map<string, Known>();
    for (const { name, keys } of consumers) {
      const account = accounts.get(name) as KeyAccount;
      for (const key of keys) {
        const digest = this.#digest(key.sha256);
        if (!known.has(digest.toString('hex'))) known.set(digest.toString('hex'), { digest, key, account });
      }
    }
    this.#accounts = accounts;
    this.#known = known;
    this.#isOpen &&= consumers.length === 0;
  }

  /** `undefined`: it is no key of ours. */
  find(key: string): Found | undefined {
    const presented = this.#digest(hashOfKey(key));
    const known = this.#known.get(presented.toString('hex'));
    // The comparison runs on a miss, too, so that both take the same way.
    if (!timingSafeEqual(presented, known?.digest ?? this.#nobody) || known === undefined) return undefined;
    return { account: known.account, isExpired: isExpired(known.key, Date.now()) };
  }

  #digest(sha256: string): Buffer {
    return hash('sha256', `${this.#salt}${sha256}`, 'buffer');
  }

  #accountOf(consumer: Consumer): KeyAccount {
    const account = this.#accounts.get(consumer.name);
    account?.adjust(consumer);
    return account ?? new KeyAccount(consumer);
  }
}
