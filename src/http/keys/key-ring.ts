import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type GatewayKey, hashOfKey, isExpired, type KeyHolder } from '../../domain/key-holder.ts';
import { KeyAccount } from './key-account.ts';

type Known = { readonly digest: Buffer; readonly key: GatewayKey; readonly account: KeyAccount };

/** Whose key it is, and whether it is still valid. */
export type Found = { readonly account: KeyAccount; readonly isExpired: boolean };

/**
 * All keys of the gateway. They are compared by a salted hash of the whole key, which is looked up, so that neither the
 * time of the look-up nor that of the comparison tells anything about a key (RELIABILITY T19).
 */
export class KeyRing {
  readonly #salt = randomBytes(32).toString('base64');
  readonly #nobody = randomBytes(32);
  #known: ReadonlyMap<string, Known> = new Map();
  #accounts: ReadonlyMap<string, KeyAccount> = new Map();
  #isOpen = true;

  constructor(holders: readonly KeyHolder[]) {
    this.replace(holders);
  }

  /** True while no key was ever known: everybody is let in, and the gateway listens on loopback only. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** How many holders may call. */
  get size(): number {
    return this.#accounts.size;
  }

  /**
   * Puts others in the place of all holders, between two requests. Who stays, by name, keeps what it has used; keys that are
   * gone end at once. A ring that has asked for keys goes on to ask for them, even where none is left.
   */
  replace(holders: readonly KeyHolder[]): void {
    const accounts = new Map(holders.map((holder) => [holder.name, this.#accountOf(holder)]));
    const known = new Map<string, Known>();
    for (const { name, keys } of holders) {
      const account = accounts.get(name) as KeyAccount;
      for (const key of keys) {
        const digest = this.#digest(key.sha256);
        if (!known.has(digest.toString('hex'))) known.set(digest.toString('hex'), { digest, key, account });
      }
    }
    this.#accounts = accounts;
    this.#known = known;
    this.#isOpen &&= holders.length === 0;
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

  #accountOf(holder: KeyHolder): KeyAccount {
    const account = this.#accounts.get(holder.name);
    account?.adjust(holder);
    return account ?? new KeyAccount(holder);
  }
}
