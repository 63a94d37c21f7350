import { z } from 'zod';
import { parseJson } from '../../codec/json-text.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import { maxImages } from '../../domain/image-request.ts';
import type { UpstreamResponse } from '../../upstream/client.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import { readBounded } from '../../upstream/read-bounded.ts';
import { azureErrorMember, errorInItem, errorInSuccess } from '../azure/azure-error.ts';
import { imageLink } from '../azure/image-events.ts';
import { hasContent, memberOf } from '../azure/json-values.ts';

/** A poll's body holds links, never images. */
const pollLimits = { bytes: 1024 * 1024, ms: 15_000 };

const result = z.looseObject({ created: z.number().optional().catch(undefined), data: z.array(z.unknown()) });

/** A poll's response; versions differ in where the result stands. */
const operation = z.looseObject({
  status: z.string(),
  created: z.number().optional().catch(undefined),
  error: z.unknown().optional(),
  result: result.optional().catch(undefined),
  data: z.array(z.unknown()).optional().catch(undefined),
});

export type Operation = z.infer<typeof operation>;

/**
 * The last state of an operation that has ended well, and `undefined` while it runs. Rejects with a GatewayError when it
 * has ended otherwise, and with another error when this is no state of an operation, such as a page of a proxy.
 */
export async function readOperation({ body }: UpstreamResponse): Promise<Operation | undefined> {
  const { text, end } = await readBounded(body, pollLimits);
  if (end !== 'complete') throw new Error(`the response to a poll is ${end}`);
  const value = parseJson(text);
  const { success, data: state, error } = operation.safeParse(value);
  if (!success) throw refusalIn(value) ?? error;
  if (state.status === 'notRunning' || state.status === 'running') return undefined;
  if (state.status === 'succeeded') return state;
  throw endedOperation(state);
}

/** A refusal ends a job also where no state stands beside it; any other error may be one of the poll alone. */
function refusalIn(value: unknown): GatewayError | undefined {
  const error = memberOf(value, 'error');
  const meaning = hasContent(error) ? azureErrorMember(error) : undefined;
  return meaning?.outcome === 'refused' ? meaning : undefined;
}

/** The links of an operation that has succeeded. Throws a GatewayError when it has none, and for an item that is an error. */
export function operationEvents(state: Operation): ImageEvent[] {
  const links = [state.result?.data, state.data].map(linksOf).find(({ length }) => length > 0);
  if (links === undefined) {
    throw hasContent(state.error) ? errorInSuccess(state.error) : invalidResponse('the operation has no result');
  }
  if (links.length > maxImages) throw invalidResponse('the operation has too many results');
  const created = state.result?.created ?? state.created;
  return [
    ...links.map((url, index): ImageEvent => ({ type: 'url', index, url })),
    { type: 'done', ...(created !== undefined && created > 0 && { created }) },
  ];
}

/** The links of a list. Throws what its failed items mean: where none of them holds a link, as if they were the response's own. */
function linksOf(items: readonly unknown[] = []): string[] {
  const links = items.flatMap((item) => imageLink(memberOf(item, 'url')) ?? []);
  const error = items.map((item) => memberOf(item, 'error')).find(hasContent);
  if (error !== undefined) throw links.length > 0 ? errorInItem(error) : errorInSuccess(error);
  return links;
}

function endedOperation({ status, error }: Operation): GatewayError {
  if (status === 'failed') return azureErrorMember(error);
  if (status === 'canceled') {
    return new GatewayError(
      'upstream_outcome_unknown',
      'The image service gave up before the image was made. It may have been billed; it was not retried.',
      { outcome: 'unknown', cause: 'the operation was canceled' },
    );
  }
  return invalidResponse(status === 'deleted' ? 'the operation was deleted' : 'the operation has an unknown status');
}

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
