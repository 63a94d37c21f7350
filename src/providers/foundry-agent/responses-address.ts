/** Where one Responses API answers, and its jobs in the background (CONTRACTS §3.4). */
export type ResponsesAddress = {
  readonly responses: URL;
  response(id: string): URL;
  cancel(id: string): URL;
};

/**
 * @param baseURL the project, the resource, or the address of a published agent, without a trailing slash
 * @param apiVersion earlier documents give one
 */
export function responsesAddress(baseURL: string, apiVersion: string | undefined): ResponsesAddress {
  const root = baseURL.endsWith('/protocols/openai')
    ? baseURL
    : `${baseURL}/openai${apiVersion === undefined ? '/v1' : ''}`;
  const urlOf = (rest: string) => {
    const url = new URL(`${root}/responses${rest}`);
    if (apiVersion !== undefined) url.searchParams.set('api-version', apiVersion);
    return url;
  };
  return { responses: urlOf(''), response: (id) => urlOf(`/${id}`), cancel: (id) => urlOf(`/${id}/cancel`) };
}
