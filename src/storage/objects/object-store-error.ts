/**
 * What has gone wrong with an object store, in status and code alone: the errors of the packages hold requests with their
 * signatures, and responses that may quote them. It has no `cause` for that reason.
 */
export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError';
  /** Of the response; `undefined`: there was none. */
  readonly status: number | undefined;
  /** The store's own code, the system's, or the name of the error. */
  readonly code: string;

  constructor({ status, code }: { readonly status?: number | undefined; readonly code: string }) {
    super(describe(status, code));
    this.status = status;
    this.code = code;
  }
}

function describe(status: number | undefined, code: string): string {
  if (status !== undefined) return `the object store responded ${status} (${code})`;
  // Nothing was sent.
  if (code === 'NoRegion') return 'the region is missing: add ?region= to it';
  if (/Credential|^AADSTS/.test(code)) return `there are no credentials for the object store (${code})`;
  return `the object store did not respond (${code})`;
}

/** The parts of both packages' errors that are safe to show. */
type PackageError = {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly Code?: unknown;
  readonly statusCode?: unknown;
  readonly details?: { readonly errorCode?: unknown };
  readonly $metadata?: { readonly httpStatusCode?: unknown };
};

/** The same failure without anything that could be secret. */
export function objectStoreError(error: unknown): ObjectStoreError {
  if (error instanceof ObjectStoreError) return error;
  const { code, Code, details, name, message, statusCode, $metadata } = (error ?? {}) as PackageError;
  // AWS's SDK says this in no other way.
  if (message === 'Region is missing') return new ObjectStoreError({ code: 'NoRegion' });
  const status = statusCode ?? $metadata?.httpStatusCode;
  const found = [details?.errorCode, code, Code, name].find(isCode) ?? 'Error';
  return new ObjectStoreError({ status: typeof status === 'number' ? status : undefined, code: found });
}

/** Runs a request; what it rejects with becomes an ObjectStoreError. */
export async function atStore<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    throw objectStoreError(error);
  }
}

/** Several codes of Microsoft Entra ID come with commas between them. */
function isCode(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z][\w.-]{1,60}(?:, [A-Za-z][\w.-]{1,60}){0,5}$/.test(text);
}
