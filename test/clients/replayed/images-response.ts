/** The members of a response that applications read. */
export type ImagesResponse = { readonly data: readonly { readonly b64_json?: string; readonly url?: string }[] };

/** Calls with a JSON body. */
export function postJson(url: string, headers: Record<string, string>, body: object): Promise<Response> {
  const type = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', headers: { ...type, ...headers }, body: JSON.stringify(body) });
}

/** The response's body. */
export async function readResponse(response: Response): Promise<ImagesResponse> {
  return (await response.json()) as ImagesResponse;
}
