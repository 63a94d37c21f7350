import { otherPng, tinyPng } from '../fixtures/images.ts';
import { eventText } from '../helpers/event-text.ts';
import { agentEvents, pending, responseOf, responseText } from './agent-wire.ts';
import { eventStream } from './event-stream.ts';
import type { ScriptedResponse } from './fault-server.ts';
import { jsonReply, message, reply } from './http-text.ts';
import { isPaidCall, type Request } from './read-requests.ts';
import { fin, type Step, write } from './script.ts';

/** Deployment path, v1 path, asynchronous flow, event stream, edits, fan-out. */
export const modes = ['A', 'B', 'C', 'D', 'E', 'F'] as const;

/** The image tool of an agent: its response as JSON, as events, and as a job that is polled. */
export const agentModes = ['agent', 'agent-stream', 'agent-background'] as const;

/** MAI-Image, and FLUX with an image to begin with, which is a part of its JSON. */
export const foundryModes = ['mai', 'flux'] as const;

/** What joins the modes of the matrix. */
export const variants = [...agentModes, ...foundryModes] as const;
export type Variant = (typeof variants)[number];
export type Mode = (typeof modes)[number] | Variant;

export const everyMode: readonly Mode[] = [...modes, ...variants];

export const isAgent = (mode: Mode): boolean => agentModes.some((agent) => agent === mode);

export const isFoundry = (mode: Mode): boolean => foundryModes.some((foundry) => foundry === mode);

/** Whether the request has an image to begin with. */
export const isEdit = (mode: Mode): boolean => mode === 'E' || mode === 'flux';

/** Whether the paid POST gets a response with events. */
export const isStreamed = (mode: Mode): boolean => mode === 'D' || mode === 'agent-stream';

/** Whether the paid POST only starts a job, which is polled. */
export const isPolled = (mode: Mode): boolean => mode === 'C' || mode === 'agent-background';

export const azureKey = 'azure-key-canary';

/** The keys of a target that speaks the mode's protocol. */
export function targetOf(mode: Mode, baseURL: string): Record<string, unknown> {
  const common = { baseURL, apiKey: azureKey };
  const agent = { ...common, ...agentKeys, baseURL: `${baseURL}/api/projects/cage` };
  if (mode === 'agent') return agent;
  if (mode === 'agent-stream') return { ...agent, capabilities: { streams: true } };
  if (mode === 'agent-background') return { ...agent, background: true };
  if (mode === 'mai') return { ...common, provider: 'mai', model: 'MAI-Image-2.6' };
  if (mode === 'flux') return { ...common, provider: 'flux', model: 'FLUX.2-pro' };
  const deployment = { ...common, provider: 'azure-deployment', deployment: 'images' };
  if (mode === 'B') return { ...common, provider: 'azure-v1', model: 'gpt-image-2' };
  if (mode === 'C') return { ...common, provider: 'azure-async', model: 'dall-e-2' };
  if (mode === 'F') return { ...deployment, model: 'dall-e-3', apiVersion: '2024-10-21' };
  return { ...deployment, model: 'gpt-image-2', apiVersion: '2025-04-01-preview' };
}

const agentKeys = { provider: 'foundry-agent', model: 'gpt-image-2', agent: 'artist', imageDeployment: 'images' };

/** What the client requests beside model and prompt. */
export const parametersOf: Readonly<Record<Mode, Record<string, unknown>>> = {
  A: {},
  B: {},
  C: { response_format: 'b64_json' },
  D: { stream: true, partial_images: 1 },
  E: {},
  F: { n: 2, response_format: 'b64_json' },
  agent: {},
  'agent-stream': { stream: true, partial_images: 1 },
  'agent-background': {},
  mai: {},
  flux: {},
};

/** How many paid calls a request becomes, and how many images it brings. */
export const legsOf = (mode: Mode): number => (mode === 'F' ? 2 : 1);

/** The body that carries the image, where it can be cut before the image can be judged, and in the middle of it. */
export type Carrier = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly early: number;
  readonly late: number;
};

const json = { 'content-type': 'application/json' };

/** The response that brings this image: to the paid POST, to a poll, or to the download of the asynchronous flow. */
export function carrierOf(mode: Mode, image: string = tinyPng): Carrier {
  if (mode === 'C') {
    return { headers: { 'content-type': 'image/png' }, body: Buffer.from(image, 'base64'), early: 4, late: 40 };
  }
  const text = textOf(mode, image);
  const at = text.indexOf(image);
  const headers = isStreamed(mode) ? eventStream : { ...json, ...(mode === 'agent-background' && later) };
  return { headers, body: Buffer.from(text), early: at + 8, late: at + 60 };
}

function textOf(mode: Mode, image: string): string {
  if (mode === 'D') return streamText(image);
  if (mode === 'agent-stream') return agentEvents(image);
  return isAgent(mode) ? responseText(image) : imagesText(image);
}

const usage = { total_tokens: 3, input_tokens: 1, output_tokens: 2 };

export const imagesText = (image: string): string =>
  JSON.stringify({ created: 1_700_000_000, data: [{ b64_json: image }], usage });

const facts = { size: '1024x1024', quality: 'high', background: 'opaque', output_format: 'png', created_at: 1 };

export const partialEvent = (image: string): string =>
  eventText('image_generation.partial_image', { b64_json: image, partial_image_index: 0, ...facts });
export const completedEvent = (image: string): string =>
  eventText('image_generation.completed', { b64_json: image, ...facts, usage });

const streamText = (image: string): string => `${partialEvent(image)}${completedEvent(image)}`;

/**
 * The three responses of the asynchronous flow; faults stand in for one of them. Elsewhere the result is the response to the
 * POST, and that to the polls of a job of an agent.
 */
export type Places = {
  readonly post: readonly Step[];
  readonly poll: readonly Step[];
  readonly result: readonly Step[];
};

const operation = '/openai/operations/images/one?api-version=2023-06-01-preview';

export const submitHeaders = (host: string): Record<string, string> => ({
  'operation-location': `https://${host}${operation}`,
  'retry-after-ms': '1',
});

export const resultUrl = (host: string): string => `https://${host}/results/one.png`;

export const succeeded = (host: string): unknown => ({
  status: 'succeeded',
  result: { created: 1_700_000_000, data: [{ url: resultUrl(host) }] },
});

const soon = { 'retry-after-ms': '1' };

/** The last poll before the deadline begins long before it, so that its response is never too late. */
export const later = { 'retry-after-ms': '2500' };

/** An agent's job has been taken. */
export const queued = (members: Readonly<Record<string, unknown>> = {}): readonly Step[] =>
  jsonReply(200, pending('queued', members), soon);

/** A mode's response to a request, where faults stand in for some places. */
export function responseIn(mode: Mode, request: Request, faulty: Partial<Places> = {}): readonly Step[] {
  const { headers, body } = carrierOf(mode);
  const host = request.headers.host ?? '';
  if (mode === 'agent-background') return jobResponse(request, faulty);
  if (mode !== 'C') return faulty.post ?? faulty.result ?? reply(200, headers, body);
  if (request.method === 'POST')
    return faulty.post ?? jsonReply(202, { id: 'one', status: 'notRunning' }, submitHeaders(host));
  if (request.path.startsWith('/openai/'))
    return faulty.poll ?? jsonReply(200, succeeded(host), { 'retry-after-ms': '1' });
  return faulty.result ?? reply(200, headers, body);
}

function jobResponse(request: Request, faulty: Partial<Places>): readonly Step[] {
  const { headers, body } = carrierOf('agent-background');
  if (request.method === 'GET') return faulty.poll ?? faulty.result ?? reply(200, headers, body);
  if (isPaidCall(request)) return faulty.post ?? queued();
  return jsonReply(200, responseOf([], { status: 'cancelled' }));
}

/** The upstream as it should be. */
export const goodResponse = (mode: Mode, request: Request): ScriptedResponse => ({
  steps: responseIn(mode, request),
  isBilled: isPaidCall(request),
});

/** What a second response on the same connection would bring: somebody else's image. */
export const foreignResponse = (mode: Mode): readonly Step[] => {
  const { headers, body } = carrierOf(mode, otherPng);
  return [write(message(200, headers, body)), fin];
};
