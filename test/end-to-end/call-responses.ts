import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { readEvents, type StreamEvent } from './events.ts';

/** The members of a response that tests look at. */
export type ImageResponse = {
  readonly id: string;
  readonly status: string;
  readonly model: string;
  readonly output: readonly { readonly id: string; readonly result: string; readonly action: string }[];
  readonly error: { readonly code: string; readonly message: string; readonly param?: string } | null;
};

type Headers = Readonly<Record<string, string>>;

/** One call of `POST …/responses`. */
export async function respond(url: string, body: unknown, { path = '/v1/responses', headers = {} as Headers } = {}) {
  const called = await callGateway(url, body, { path, headers });
  return { ...called, body: () => JSON.parse(called.text) as ImageResponse };
}

/** The same as a stream. */
export async function respondStreamed(url: string, body: object): Promise<Called & { events: readonly StreamEvent[] }> {
  const called = await respond(url, { stream: true, ...body });
  return { ...called, events: called.status === 200 ? readEvents(called.text) : [] };
}

/** A call for what is stored. @param path below `/v1/responses/` */
export async function stored(url: string, path: string, { method = 'GET', key = gatewayKey } = {}) {
  const response = await fetch(`${url}/v1/responses/${path}`, { method, headers: { authorization: `Bearer ${key}` } });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: () => JSON.parse(text) as ImageResponse };
}

/** The response in an event of a stream. Throws where there is none. */
export function responseIn(event: StreamEvent | undefined): ImageResponse {
  if (event?.data.response === undefined) throw new Error('the event has no response');
  return event.data.response as ImageResponse;
}
