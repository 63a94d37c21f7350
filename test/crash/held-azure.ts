import type { IncomingMessage, ServerResponse } from 'node:http';
import { startUpstream, tinyPng, type Upstream } from '../end-to-end/rig.ts';

/** How an upstream is spoken to; the letters are those of the team's fault matrix. */
export const modes = ['A deployment', 'B v1', 'C submit and poll', 'D events', 'E edit', 'F two calls'] as const;

export type Mode = (typeof modes)[number];

/** Where a request is held: by its caller, by the gateway, or by the upstream. */
export const phases = ['upload', 'permit', 'target queue', 'dispatched', 'headers', 'responding'] as const;

export type Phase = (typeof phases)[number];

/** An Azure that stops at a phase until it is released. */
export type HeldAzure = Upstream & {
  release(): void;
  /** How many calls have come to where they are held. */
  readonly held: number;
};

/** `holds`: where calls stop; phases before the upstream hold calls as soon as they have been dispatched. */
export async function startHeldAzure(mode: Mode, holds: Phase): Promise<HeldAzure> {
  const released = Promise.withResolvers<void>();
  let held = 0;
  const hold = (at: Phase) => {
    const stop = holds === 'headers' || holds === 'responding' ? holds : 'dispatched';
    if (at !== stop) return undefined;
    held += 1;
    return released.promise;
  };
  const upstream = await startUpstream((request, response) => respond(mode, hold, request, response));
  return Object.defineProperties(upstream as HeldAzure, {
    release: { value: () => released.resolve() },
    held: { get: () => held },
  });
}

type Hold = (at: Phase) => Promise<void> | undefined;

async function respond(mode: Mode, hold: Hold, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = '', method } = request;
  if (mode === 'D events') return streamEvents(hold, response);
  if (mode !== 'C submit and poll') return sendImage(hold, response);
  if (method === 'POST') return acceptJob(hold, response, String(request.headers.host));
  if (url.includes('/operations/')) return tellStatus(hold, response, String(request.headers.host));
  const [beginning, end] = halves(Buffer.from(tinyPng, 'base64'));
  response.write(beginning);
  await hold('responding');
  response.end(end);
}

async function sendImage(hold: Hold, response: ServerResponse): Promise<void> {
  await hold('dispatched');
  response.write('{"created":1,');
  await hold('headers');
  const [beginning, end] = halves(Buffer.from(tinyPng));
  response.write(`"data":[{"b64_json":"${beginning}`);
  await hold('responding');
  response.end(`${end}"}]}`);
}

async function streamEvents(hold: Hold, response: ServerResponse): Promise<void> {
  await hold('dispatched');
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  await hold('headers');
  const event = (type: string, more: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, b64_json: tinyPng, created_at: 1, ...more })}\n\n`;
  response.write(event('image_generation.partial_image', { partial_image_index: 0 }));
  await hold('responding');
  response.end(event('image_generation.completed', {}));
}

async function acceptJob(hold: Hold, response: ServerResponse, host: string): Promise<void> {
  await hold('dispatched');
  const location = `http://${host}/openai/operations/images/job-1?api-version=2023-06-01-preview`;
  response.writeHead(202, { 'operation-location': location }).end('{"id":"job-1","status":"notRunning"}');
}

async function tellStatus(hold: Hold, response: ServerResponse, host: string): Promise<void> {
  await hold('headers');
  const result = { created: 1, data: [{ url: `http://${host}/image.png` }] };
  response.end(JSON.stringify({ id: 'job-1', status: 'succeeded', created: 1, result }));
}

function halves(bytes: Buffer): [Buffer, Buffer] {
  return [bytes.subarray(0, 40), bytes.subarray(40)];
}
