// The floor: all that a forwarder on undici must do, and nothing that makes it a gateway. A program of its own.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, type Dispatcher } from 'undici';

const origin = process.argv[2] ?? '';
// As the gateway does: a kept-alive connection may close under a paid call, so each one dials anew.
const agent = new Agent({ allowH2: false, headersTimeout: 0, bodyTimeout: 60_000, pipelining: 0 });

const server = http.createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const body = Buffer.concat(pieces);
    const headers = { 'content-type': request.headers['content-type'], 'content-length': String(body.length) };
    agent.dispatch({ origin, path: request.url ?? '/', method: 'POST', headers, body }, forwardTo(response));
  });
});

function forwardTo(response: http.ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart(controller) {
      response.on('drain', () => controller.resume());
      response.on('close', () => {
        if (!response.writableFinished) controller.abort(new Error('the client disconnected'));
      });
    },
    onResponseStart(_controller, status, headers) {
      const kept = ['content-type', 'content-length'].filter((name) => headers[name] !== undefined);
      response.writeHead(status, Object.fromEntries(kept.map((name) => [name, String(headers[name])])));
    },
    onResponseData(controller, chunk) {
      if (!response.write(chunk)) controller.pause();
    },
    onResponseEnd: () => response.end(),
    onResponseError: () => response.destroy(),
  };
}

server.listen(0, '127.0.0.1', 1024, () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.once('disconnect', () => process.exit());
