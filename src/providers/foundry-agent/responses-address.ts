/** Where one Responses API answers, and its jobs in the background (CONTRACTS §3.4). */
export type ResponsesAddress = {
  readonly responses: URL;
  response(id: string): URL;
  cancel(id: string): URL;
};

/** @param baseURL the project or the resource, without a trailing slash; earlier documents give an api-version */
export function responsesAddress(baseURL: string, apiVersion: string | undefined): ResponsesAddress {
  const urlOf = (rest: string) => {
    const url = new URL(`${baseURL}/openai/${apiVersion === undefined ? 'v1/' : ''}responses${rest}`);
    if (apiVersion !== undefined) url.searchParams.set('api-version', apiVersion);
    return url;
  };
  return { responses: urlOf(''), response: (id) => urlOf(`/${id}`), cancel: (id) => urlOf(`/${id}/cancel`) };
}
