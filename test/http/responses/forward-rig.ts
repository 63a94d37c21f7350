import type { IncomingMessage, RequestListener } from 'node:http';
import { onTestFinished } from 'vitest';
import { requireKey } from '../../../src/http/access.ts';
import { KeyStore } from '../../../src/http/keys/key-store.ts';
import { forward } from '../../../src/http/surfaces/responses/forward.ts';
import { forwardedFault } from '../../../src/providers/azure/forwarded-fault.ts';
import { createPassThrough } from '../../../src/upstream/azure-pass-through.ts';
import { createUpstreamClient } from '../../../src/upstream/client.ts';
import { createCredentials } from '../../../src/upstream/credential.ts';
import { serveHttp } from '../../helpers/loopback-server.ts';
import { parseModels } from '../../helpers/parse-models.ts';
import { callersIn, gatewayKey, type StartedGateway, startGateway } from '../../helpers/start-gateway.ts';

export const azureKey = 'azure-key-canary';

export type ForwardRig = StartedGateway & {
  /** A request with a good key, below the route. */
  call(path: string, init?: RequestInit & { duplex?: 'half' }): Promise<Response>;
};

type Options = {
  /** Of the file beside its models. */
  readonly file?: object;
  /** `callers` of a keys file. */
  readonly callers?: object;
  /** What the gateway has said about the client's limits before it forwards. */
  readonly limitHeaders?: Readonly<Record<string, string>>;
};

/** A gateway with routes of the test that forward everything to this Azure. */
export async function startForwardRig(
  port: number,
  { file = {}, callers, limitHeaders = {} }: Options = {},
): Promise<ForwardRig> {
  const target = { baseURL: `http://127.0.0.1:${port}`, apiKey: azureKey };
  const poster = { ...target, provider: 'azure-v1', model: 'gpt-image-2', deployment: 'img-east' };
  const models = { models: { poster }, responses: { target, imageModel: 'poster' }, ...file };
  const passThrough = passThroughOf(models);
  const keyStore = new KeyStore(callersIn(callers, parseModels(JSON.stringify(models), {})));
  const gateway = await startGateway(models, {
    keys: callers ? [] : [gatewayKey],
    ...(callers && { callers }),
    extend: (server) =>
      void server.register(async (routes) => {
        if (callers) requireKey(routes, keyStore);
        routes.removeAllContentTypeParsers();
        routes.addContentTypeParser('*', (_request, _body, done) => done(null));
        const bodyOf = (raw: IncomingMessage) => (raw.method === 'POST' ? raw : undefined);
        for (const url of ['/test/v1/responses', '/test/v1/responses/*']) {
          routes.route({
            method: ['GET', 'POST', 'DELETE'],
            url,
            handler: (request, reply) =>
              forward(request, reply.headers(limitHeaders), passThrough, bodyOf(request.raw)),
          });
        }
      }),
  });
  const headers = { authorization: `Bearer ${gatewayKey}` };
  return Object.assign(gateway, {
    call: (path: string, init: RequestInit = {}) =>
      fetch(`${gateway.url}/test/v1/responses${path}`, { ...init, headers: { ...headers, ...init.headers } }),
  });
}

function passThroughOf(file: object) {
  const { responses } = parseModels(JSON.stringify(file), {});
  if (responses === undefined) throw new Error('nothing is forwarded');
  const client = createUpstreamClient();
  onTestFinished(() => client.close());
  const { target, image } = responses;
  return createPassThrough({
    client,
    credential: createCredentials()(undefined)(target.credential),
    baseURL: target.baseURL,
    imageDeployment: image?.deployment,
    faultOf: forwardedFault,
  });
}

/** A server in the place of Azure that responds when it has read everything. */
export function serveAzure(respond: RequestListener): Promise<number> {
  return serveHttp((request, response) => void request.resume().once('end', () => respond(request, response)));
}
