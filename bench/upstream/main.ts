// The upstream: responds with prebuilt bytes, so that it costs as little as possible. A program of its own.
import http, { type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type Scenario, scenarioName, scenarioNamed } from '../scenario.ts';
import { imageAnswer, imageEvents, imageFile, linkAnswer } from './bodies.ts';

const bodies = new Map<string, readonly Buffer[]>();

function bodyOf(name: string, make: () => readonly Buffer[]): readonly Buffer[] {
  const body = bodies.get(name) ?? make();
  bodies.set(name, body);
  return body;
}

async function respond(scenario: Scenario, response: ServerResponse): Promise<void> {
  const { kind, delayMs } = scenario;
  const name = scenarioName(scenario);
  if (kind === 'events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    for (const event of bodyOf(name, () => imageEvents(scenario))) {
      if (delayMs > 0) await wait(delayMs);
      response.write(event);
    }
    response.end();
    return;
  }
  const body = bodyOf(name, () => [kind === 'link' ? linkAnswer(scenario, origin()) : imageAnswer(scenario)]);
  if (delayMs > 0) await wait(delayMs);
  send(response, 'application/json', body);
}

function send(response: ServerResponse, type: string, [body = Buffer.alloc(0)]: readonly Buffer[]): void {
  response.writeHead(200, { 'content-type': type, 'content-length': body.length, 'x-request-id': 'of-the-upstream' });
  response.end(body);
}

const server = http.createServer((request, response) => {
  response.on('error', () => {});
  request.resume().once('end', () => {
    const { pathname } = new URL(request.url ?? '/', 'http://upstream');
    const [, deployment = ''] = /^\/openai\/deployments\/([^/]+)\/images\/(?:generations|edits)$/.exec(pathname) ?? [];
    const [, bytes] = /^\/files\/(\d+)$/.exec(pathname) ?? [];
    const scenario = scenarioNamed(deployment);
    if (scenario) void respond(scenario, response);
    else if (bytes)
      send(
        response,
        'image/png',
        bodyOf(pathname, () => [imageFile(Number(bytes))]),
      );
    else response.writeHead(404).end();
  });
});
server.requestTimeout = 0;

function origin(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

server.listen(0, '127.0.0.1', 1024, () => process.send?.(origin()));
// The client has disconnected.
process.once('disconnect', () => process.exit());
