import { gatewayKey } from './start-gateway.ts';

export type Called = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  json(): ResponseBody;
};

/** The members that tests look at, of responses and of errors. */
export type ResponseBody = {
  created: number;
  data: { b64_json?: string; url?: string; revised_prompt?: string }[];
  usage?: Record<string, unknown>;
  size?: string;
  quality?: string;
  background?: string;
  output_format?: string;
  error: { message: string; type: string; param: string | null; code: string; moderation_details?: unknown };
};

/** One call of the gateway's Images API with a good key. Rejects when the response is truncated. */
export async function callGateway(
  url: string,
  body: unknown,
  { path = '/v1/images/generations', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<Called> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gatewayKey}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as ResponseBody };
}
