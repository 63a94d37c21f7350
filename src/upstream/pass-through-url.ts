import { GatewayError } from '../domain/gateway-error.ts';

/** Enough for every id of Azure, and too little for a path: no dot, no slash, and nothing that is encoded twice. */
const segment = /^[A-Za-z0-9_-]{1,256}$/;

/** `/responses/{id}/{action}` is the longest path there is. */
const maxSegments = 2;

const parameters: readonly string[] = [
  'stream',
  'starting_after',
  'include',
  'include[]',
  'include_obfuscation',
  'after',
  'before',
  'limit',
  'order',
];

/** Clients of Azure's older addresses send it everywhere; the v1 API needs none. */
const ignored = 'api-version';

/**
 * The address of a forwarded request. The client's path and query are taken apart and put together again, so that no way of
 * writing them leads out of `/responses`. Throws a GatewayError for anything else.
 *
 * @param baseURL ends with `/v1`
 * @param path below `/v1`, encoded as the client encoded it
 * @param search the query with its `?`, or nothing
 */
export function passThroughUrl(baseURL: string, { path, search }: { readonly path: string; readonly search: string }) {
  const url = new URL(
    `${baseURL}/responses${segmentsOf(path)
      .map((one) => `/${one}`)
      .join('')}`,
  );
  for (const [name, value] of new URLSearchParams(search)) {
    if (name === ignored) continue;
    if (!parameters.includes(name)) throw unknownParameter(name);
    url.searchParams.append(name, value);
  }
  return url;
}

function segmentsOf(path: string): string[] {
  const [empty, root, ...segments] = path.split('/');
  if (empty !== '' || root !== 'responses' || segments.length > maxSegments) {
    throw new GatewayError('unknown_url', 'The Responses API has no such URL.');
  }
  return segments.map(decode).map((one) => {
    if (one !== undefined && segment.test(one)) return one;
    const message = "The id of a response holds letters, digits, '_' and '-' only.";
    throw new GatewayError('invalid_value', message, { param: 'response_id' });
  });
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The name is shown only when it looks like one: clients send what they like. */
function unknownParameter(name: string): GatewayError {
  const isName = /^[A-Za-z0-9_.[\]-]{1,64}$/.test(name);
  const message = `The query parameter${isName ? ` '${name}'` : ''} is not one that is forwarded.`;
  return new GatewayError('unknown_parameter', message, { param: isName ? name : undefined });
}
