import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { RecordedRequest } from '../../simulator/ledger.ts';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import type { AppParts } from '../../src/app.ts';
import type { ImageStore } from '../../src/domain/image-store.ts';
import type { ObjectStorage } from '../../src/domain/object-storage.ts';
import { gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';

export const generationsPath = '/v1/images/generations';

export type Rig = StartedGateway & {
  readonly simulator: Simulator;
  /** The paid POSTs that the simulator has received for a prompt, or all of them. */
  paidPosts(prompt?: string): RecordedRequest[];
};

type RigOptions = {
  readonly timeoutMs?: number;
  /** Keys that are added to each model, such as `parameters`. */
  readonly modelKeys?: Record<string, unknown>;
  readonly store?: ImageStore;
  readonly dataDir?: string;
  readonly objectStorage?: ObjectStorage;
  readonly publicBaseUrl?: string;
  readonly host?: string;
  readonly keys?: readonly string[];
  readonly callers?: object;
  readonly limits?: object;
  readonly times?: AppParts['times'];
  readonly now?: () => number;
  readonly sharp?: AppParts['sharp'];
  /** Keys that are added to the models file. */
  readonly fileKeys?: object;
};

/** A gateway with one model of each protocol in front of a simulator; both end with the test. */
export async function startRig({ timeoutMs, modelKeys, limits, fileKeys, ...hosting }: RigOptions = {}): Promise<Rig> {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  onTestFinished(() => simulator.close());
  const models = { ...modelsFile(simulator.origin, timeoutMs, modelKeys), ...(limits && { limits }), ...fileKeys };
  const gateway = await startGateway(models, hosting);
  return Object.defineProperties({ ...gateway } as Rig, {
    log: { get: () => gateway.log },
    simulator: { value: simulator },
    paidPosts: { value: (prompt?: string) => paidPosts(simulator, prompt) },
  });
}

function paidPosts({ ledger }: Simulator, prompt: string | undefined): RecordedRequest[] {
  return ledger.requests.filter(
    ({ method, body }) =>
      method === 'POST' && (prompt === undefined || (body as { prompt?: unknown } | undefined)?.prompt === prompt),
  );
}

/** The keys of a target whose chat deployment draws with its tool. */
export function chatTarget(baseURL: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const deployments = { chatDeployment: 'gpt-4.1', imageDeployment: 'gpt-image-1' };
  return { provider: 'foundry-agent', model: 'gpt-image-1', baseURL, ...deployments, apiKey: 'simulator-key', ...more };
}

/** A models file: `image` (also called `gpt-image-1`), `studio/poster`, `dall-e-3` and `dall-e-2` at one origin. */
export function modelsFile(origin: string, timeoutMs = 60_000, modelKeys: Record<string, unknown> = {}): object {
  // What follows a failure, and a client that disconnects, has tests of its own.
  const common = { baseURL: origin, apiKey: 'simulator-key', timeoutMs, maxRetries: 0, ...modelKeys };
  return {
    limits: { lingerMs: 0 },
    defaultModel: 'image',
    aliases: { 'gpt-image-1': 'image' },
    models: {
      image: {
        ...common,
        provider: 'azure-deployment',
        model: 'gpt-image-2',
        deployment: 'gpt-image-2',
        apiVersion: '2025-04-01-preview',
      },
      'studio/poster': { ...common, provider: 'azure-v1', model: 'gpt-image-1.5' },
      'dall-e-3': {
        ...common,
        provider: 'azure-deployment',
        model: 'dall-e-3',
        deployment: 'dall-e-3',
        apiVersion: '2024-10-21',
      },
      'dall-e-2': { ...common, provider: 'azure-async', model: 'dall-e-2' },
    },
  };
}

export type Upstream = {
  readonly origin: string;
  /** Requests that have arrived completely. */
  readonly received: number;
  /** Connections that are open now. */
  readonly connections: number;
};

/** An upstream whose every response is up to the test; it is closed when the test ends. */
export async function startUpstream(
  respond: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<Upstream> {
  const sockets = new Set<Socket>();
  let received = 0;
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      received += 1;
      void respond(request, response);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    get received() {
      return received;
    },
    get connections() {
      return sockets.size;
    },
  };
}

export { tinyPng } from '../fixtures/images.ts';

/** The request line, headers and body of a call of the Images API, as bytes for a plain socket. */
export function rawCall(body: unknown, headers: readonly string[] = [`authorization: Bearer ${gatewayKey}`]): string {
  const text = JSON.stringify(body);
  const head = [
    `POST ${generationsPath} HTTP/1.1`,
    'host: gateway',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    ...headers,
  ];
  return `${head.join('\r\n')}\r\n\r\n${text}`;
}

/** A plain connection to a server, for tests that decide themselves what to read and when to disconnect. */
export function openSocket(url: string): Socket {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Writes these bytes at once and gives what comes back until the server closes the connection. */
export async function exchange(url: string, bytes: string): Promise<string> {
  const socket = openSocket(url);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('end', () => socket.end());
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** The lines that the gateway has logged about requests. */
export function requestLines(gateway: StartedGateway): Record<string, unknown>[] {
  return gateway.log
    .filter(({ msg }) => msg === 'request')
    .map((line) => ({ ...gateway.log.find((other) => isGenerationOf(other, line)), ...line }));
}

function isGenerationOf({ msg, generation }: Record<string, unknown>, request: Record<string, unknown>): boolean {
  return msg === 'generation' && generation === request.generation;
}
