import { inspect } from 'node:util';

const mask = '*****';

/**
 * A value that must never be printed: an Azure key, a gateway key or the password of a proxy.
 * Strings, JSON, template literals and `util.inspect` all show `*****`; only {@link Secret.expose} gives the text.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * The text itself. Called only for headers of upstream calls and of the proxy, for the client of an object store, and to
   * check and hash gateway keys.
   */
  expose(): string {
    return this.#text;
  }

  /** Whether both are the same text. Both are the operator's own: the time that it takes tells nobody anything. */
  equals(other: Secret): boolean {
    return this.#text === other.#text;
  }

  toString(): string {
    return mask;
  }

  toJSON(): string {
    return mask;
  }

  [inspect.custom](): string {
    return mask;
  }
}
