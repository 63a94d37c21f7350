import { gatewayKey } from './start-gateway.ts';

export type Called = { readonly status: number; readonly headers: Headers; readonly text: string; json(): any };

/** One call of the gateway's Images API with a good key. Rejects when the answer is torn. */
export async function callGateway(
  url: string,
  body: unknown,
  { path = '/v1/images/generations', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<Called> {
  const answer = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gatewayKey}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, json: () => JSON.parse(text) };
}
