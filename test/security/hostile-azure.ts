import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { serveHttp, serveRaw } from '../helpers/loopback-server.ts';

export type ReceivedRequest = { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders };

export type HostileAzure = {
  readonly port: number;
  readonly origin: string;
  /** Every request that it got. */
  readonly requests: readonly ReceivedRequest[];
  /** How it responds from now on. */
  respond: (request: IncomingMessage, response: ServerResponse) => void;
};

/** A configured upstream that responds as the test says; it is closed when the test ends. */
export async function startHostileAzure(): Promise<HostileAzure> {
  const requests: ReceivedRequest[] = [];
  const port = await serveHttp((request, response) => {
    const { method = '', url: path = '', headers } = request;
    request.resume().once('end', () => {
      requests.push({ method, path, headers });
      azure.respond(request, response);
    });
  });
  const azure: HostileAzure = {
    port,
    origin: `http://127.0.0.1:${port}`,
    requests,
    respond: (_request, response) => void response.writeHead(500).end(),
  };
  return azure;
}

export type Stranger = {
  readonly port: number;
  /** Connections that it got; nobody should make any. */
  readonly connections: number;
};

/** A host that stands in no configuration. */
export async function startStranger(): Promise<Stranger> {
  let connections = 0;
  const port = await serveRaw((socket) => {
    connections += 1;
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  });
  return {
    port,
    get connections() {
      return connections;
    },
  };
}

export const azureKey = 'azure-key-canary';

/** One model for each way to Azure, all at one origin. */
export function everyProvider(origin: string): object {
  const common = { baseURL: origin, apiKey: azureKey, maxRetries: 0, timeoutMs: 10_000 };
  const agent = {
    provider: 'foundry-agent',
    model: 'gpt-image-1',
    chatDeployment: 'gpt-4.1',
    imageDeployment: 'draws',
  };
  return {
    limits: { lingerMs: 0 },
    models: {
      deployment: {
        ...common,
        provider: 'azure-deployment',
        model: 'gpt-image-2',
        deployment: 'draws',
        apiVersion: '2025-04-01-preview',
      },
      v1: { ...common, provider: 'azure-v1', model: 'gpt-image-2' },
      async: { ...common, provider: 'azure-async', model: 'dall-e-2' },
      agent: { ...common, ...agent },
      background: { ...common, ...agent, background: true },
    },
  };
}

export const providers = ['deployment', 'v1', 'async', 'agent', 'background'] as const;

/** So that polls come at once. */
export const soon = { 'retry-after-ms': '1' };

export function sendJson(response: ServerResponse, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
