/** The body is not JSON, or ends before its outermost value does. */
export class MalformedJsonError extends Error {
  override readonly name = 'MalformedJsonError';
  /** What arrived was a beginning of JSON: the rest of it was lost. */
  readonly isCut: boolean;

  constructor(message: string, { isCut = false }: { isCut?: boolean } = {}) {
    super(message);
    this.isCut = isCut;
  }
}
