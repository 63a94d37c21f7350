import sharp from 'sharp';
import { type Caller, json, type ReceivedResponse } from './call-simulator.ts';
import { readEvents } from './read-events.ts';

/** What the tests read of a Response object. */
export type ResponseObject = {
  readonly id: string;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly incomplete_details: { readonly reason: string } | null;
  readonly output: readonly OutputItem[];
  readonly [member: string]: unknown;
};

export type OutputItem = {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly result?: string | null;
  readonly error?: { readonly code: string; readonly [member: string]: unknown };
  readonly content?: readonly { readonly type: string }[];
  readonly [member: string]: unknown;
};

type Members = Readonly<Record<string, unknown>>;

export const resourcePath = '/openai/v1/responses';
export const projectPath = '/api/projects/studio/openai/v1/responses';

const tool = { type: 'image_generation' };
export const withTool = (options: Members) => ({ tools: [{ ...tool, ...options }] });

/** A message of the user with a text and images. */
export const message = (text: string, ...images: readonly string[]) => ({
  type: 'message',
  role: 'user',
  content: [{ type: 'input_text', text }, ...images.map((image_url) => ({ type: 'input_image', image_url }))],
});

export const dataUrl = (bytes: Buffer, type = 'image/png') => `data:${type};base64,${bytes.toString('base64')}`;

/** Requests an image of a chat model, which an image deployment draws, at the resource and with its key. */
export function respond(caller: Caller, deployment: string, members: Members = {}): Promise<ReceivedResponse> {
  const body = { model: 'gpt-4.1', input: 'a cat', ...withTool({}), tool_choice: tool, ...members };
  return caller.call('POST', resourcePath, body, headersFor(deployment));
}

export function headersFor(deployment: string): Record<string, string> {
  return { 'api-key': 'test-key', 'x-ms-oai-image-generation-deployment': deployment };
}

/** Gets a token of the managed identity. */
export async function tokenFor(caller: Caller, resource: string): Promise<string> {
  const target = `/msi/token?api-version=2019-08-01&resource=${encodeURIComponent(resource)}`;
  const response = await caller.call('GET', target, undefined, {
    'x-identity-header': caller.simulator.identityHeader,
  });
  return json(response).access_token;
}

/** Calls the agent of a project for an image, with a token. */
export async function callAgent(caller: Caller, members: Members = {}, path = projectPath): Promise<ReceivedResponse> {
  const body = { agent_reference: { type: 'agent_reference', name: 'artist' }, input: 'a cat' };
  const authorization = `Bearer ${await tokenFor(caller, 'https://ai.azure.com')}`;
  const headers = { authorization, 'x-ms-oai-image-generation-deployment': 'gpt-image-2-mine' };
  return caller.call('POST', path, { ...body, ...members }, headers);
}

export const responseIn = (response: ReceivedResponse) => json(response) as ResponseObject;

/** The images of a response, in base64. */
export const resultsOf = ({ output }: ResponseObject) =>
  output.flatMap(({ result }) => (typeof result === 'string' ? [result] : []));

export async function looksOf(base64: string | undefined): Promise<string> {
  const { width, height, format } = await sharp(Buffer.from(String(base64), 'base64')).metadata();
  return `${format} ${width}x${height}`;
}

export const typesIn = (response: ReceivedResponse) => readEvents(response.bytes).map(({ name }) => name);
// biome-ignore lint/suspicious/noExplicitAny: the tests know what they look for
export const valuesIn = (response: ReceivedResponse): any[] =>
  readEvents(response.bytes).map(({ data }) => JSON.parse(data));
