import { JsonScanner, type ScanToken } from '../../../codec/json-scanner.ts';

/**
 * Looks for the model of a request while its body is read by whoever parses it. A model that is served elsewhere decides about
 * the whole request, whatever else the body holds, so that an error of the parser does not end the search.
 */
export class ModelSearch {
  readonly #body: AsyncIterator<Buffer>;
  readonly #scanner = new JsonScanner({ members: { model: 'keep', agent_reference: 'keep', agent: 'keep' } });
  readonly #ask: ((model: string) => boolean) | undefined;
  #answer: boolean | undefined;

  /** @param ask whether a model is served elsewhere; `undefined`: none is */
  constructor(body: AsyncIterable<Buffer>, ask: ((model: string) => boolean) | undefined) {
    this.#body = body[Symbol.asyncIterator]();
    this.#ask = ask;
    if (ask === undefined) this.#answer = false;
  }

  /** The body, for its parser. Throws when it has turned out to be served elsewhere. */
  async *chunks(): AsyncGenerator<Buffer> {
    for (let next = await this.#body.next(); !next.done; next = await this.#body.next()) {
      this.#look(next.value);
      if (this.#answer === true) throw new Error('the request is served elsewhere');
      yield next.value;
    }
  }

  /** The answer, for which the rest of the body is read if need be. Never rejects. */
  async isElsewhere(): Promise<boolean> {
    try {
      while (this.#answer === undefined) {
        const { value, done } = await this.#body.next();
        if (done) return false;
        this.#look(value);
      }
    } catch {
      // The body has broken off, and the parser's error says so.
      return false;
    }
    return this.#answer;
  }

  /** Lets go of the body, which stays open. */
  async close(): Promise<void> {
    await this.#body.return?.();
  }

  #look(chunk: Buffer): void {
    if (this.#answer !== undefined) return;
    try {
      const [first] = this.#scanner.push(chunk);
      if (first !== undefined) this.#answer = this.#judge(first);
      else if (this.#scanner.isComplete) this.#answer = false;
    } catch {
      // No JSON: the parser says what is wrong with it.
      this.#answer = false;
    }
  }

  /** An agent that comes first is a model of ours. */
  #judge(token: ScanToken): boolean {
    if (token.type !== 'value' || token.path[0] !== 'model' || typeof token.value !== 'string') return false;
    return this.#ask?.(token.value) === true;
  }
}
