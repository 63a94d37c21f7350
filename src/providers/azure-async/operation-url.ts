/** What an `operation-location` header leads to: where to poll, or why it cannot be followed. */
export type OperationUrl = { readonly url: URL; readonly isForeignHost: boolean } | { readonly refused: string };

const operationId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The URL to poll where only the body of the submit's response names the operation; `undefined`: that is no id. */
export function operationUrlOf(id: unknown, resource: string, apiVersion: string): URL | undefined {
  if (typeof id !== 'string' || !operationId.test(id)) return undefined;
  const url = new URL(`${resource}/openai/operations/images/${id}`);
  url.searchParams.set('api-version', apiVersion);
  return url;
}

/**
 * The URL to poll: path and query of the header on the configured origin, so that the key never goes anywhere else.
 * The path must lie below the resource's own `/openai/`, however Azure's versions name what comes after it, and end in
 * an operation id. A foreign host is normal behind API Management; it is ignored, and reported.
 */
export function operationUrl(header: string | string[] | undefined, resource: string): OperationUrl {
  if (typeof header !== 'string' || header === '') return { refused: 'operation-location is missing' };
  const base = new URL(resource);
  const located = URL.parse(header, resource);
  if (located === null) return { refused: 'operation-location is not a URL' };
  const root = `${base.pathname.replace(/\/$/, '')}/openai/`;
  const id = located.pathname.slice(located.pathname.lastIndexOf('/') + 1);
  const isBelowRoot = located.pathname.startsWith(root) && !/%|\/\//.test(located.pathname.slice(root.length - 1));
  if (!isBelowRoot || !operationId.test(id)) {
    return { refused: 'operation-location names another path' };
  }
  const url = new URL(base.origin);
  url.pathname = located.pathname;
  url.search = located.search;
  return { url, isForeignHost: located.origin !== base.origin };
}
