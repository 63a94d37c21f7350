import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Scenario } from './choose-scenario.ts';
import { drawImage, type ImageOrder } from './draw-image.ts';
import { otherOrigin } from './incoming-request.ts';
import { bytesBody, joinBody } from './response-bytes.ts';
import { sendBytes } from './send-response.ts';

type StoredImage = { readonly order: ImageOrder; readonly scenario: Scenario; downloads: number };

/** The simulator's blob storage: it keeps what to draw, not the bytes, and signs the links to it. */
export type ImageStore = {
  /** Stores an image; returns path and query of its link, which lives 24 hours. */
  put(order: ImageOrder, scenario: Scenario): string;
  /** The image behind a path and query that {@link ImageStore.put} made, or why there is none. */
  find(name: string, expiry: string, signature: string): StoredImage | 'forbidden' | 'absent';
};

const keptImages = 10_000;
const lifetime = 24 * 60 * 60 * 1000;
// Blob storage knows one credential here, the signature in the link; any other one is refused, as it should not be sent.
const credentialHeaders = ['authorization', 'api-key', 'ocp-apim-subscription-key', 'x-api-key', 'cookie'];

/** Creates an empty store with a signing key of its own. */
export function createImageStore(): ImageStore {
  const store = new Map<string, StoredImage>();
  const key = randomBytes(32);
  const sign = (name: string, expiry: string) => createHmac('sha256', key).update(`${name} ${expiry}`).digest('base64');
  return {
    put(order, scenario) {
      const name = `${randomUUID()}.${order.format === 'jpeg' ? 'jpg' : 'png'}`;
      const expiry = new Date(Date.now() + lifetime).toISOString();
      store.set(name, { order, scenario, downloads: 0 });
      const oldest = store.keys().next().value;
      if (store.size > keptImages && oldest !== undefined) store.delete(oldest);
      return `/private/images/${name}?${new URLSearchParams({ se: expiry, sp: 'r', sig: sign(name, expiry) })}`;
    },
    find(name, expiry, signature) {
      const isExpired = !(Date.parse(expiry) > Date.now());
      if (isExpired || signature !== sign(name, expiry)) return 'forbidden';
      return store.get(name) ?? 'absent';
    },
  };
}

/** The absolute link of a stored image; one scenario puts it on a host that does not exist. */
export function imageLink(origin: string, pathAndQuery: string, scenario: Scenario): string {
  return `${scenario.name === 'download-foreign' ? 'https://blob.example.invalid' : origin}${pathAndQuery}`;
}

/** Adds the endpoint that serves the images. The signature in a link is the only credential. */
export function addPrivateImages(app: FastifyInstance, store: ImageStore): void {
  app.get<{ Params: { name: string } }>('/private/images/:name', (request, reply) => {
    const credential = credentialHeaders.find((header) => request.headers[header] !== undefined);
    if (credential === 'authorization') return blobError(reply, 400, 'InvalidAuthenticationInfo');
    if (credential !== undefined) return blobError(reply, 403, 'AuthenticationFailed');
    const { se, sig } = request.query as Record<string, unknown>;
    const image = store.find(request.params.name, String(se), String(sig));
    if (image === 'forbidden') return blobError(reply, 403, 'AuthenticationFailed');
    if (image === 'absent') return blobError(reply, 404, 'BlobNotFound');
    image.downloads += 1;
    return sendImage(request, reply, image);
  });
}

async function sendImage(request: FastifyRequest, reply: FastifyReply, image: StoredImage) {
  const { order, scenario, downloads } = image;
  switch (scenario.name) {
    case 'download-403':
      return blobError(reply, 403, 'AuthenticationFailed');
    case 'download-404':
      return blobError(reply, 404, 'BlobNotFound');
    case 'download-500-once':
      if (downloads === 1) return blobError(reply, 500, 'InternalError');
      break;
    case 'download-html':
      return reply.type('text/html').send('<html><body>Sign in to your network</body></html>');
    case 'download-redirect':
      return reply.redirect(`${otherOrigin(request)}${request.url}`, 302);
    default:
  }
  const drawn = await drawImage({ ...order, broken: order.broken || scenario.name === 'download-not-an-image' });
  const body = bytesBody(...drawn.pieces);
  reply.headers({ 'x-ms-blob-type': 'BlockBlob', 'x-ms-version': '2020-04-08', 'accept-ranges': 'bytes' });
  if (scenario.name !== 'download-gzip') return sendBytes(reply, 200, drawn.mediaType, body, ofDownload(scenario));
  reply.header('content-encoding', 'gzip');
  return sendBytes(reply, 200, drawn.mediaType, bytesBody(gzipSync(joinBody(body))), ofDownload(scenario));
}

// A scenario that broke or delayed the response with the link must not do the same to the image.
function ofDownload(scenario: Scenario): Scenario {
  return scenario.reach === 'download' ? scenario : { ...scenario, name: 'none' };
}

function blobError(reply: FastifyReply, status: number, code: string): FastifyReply {
  const text = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return reply.code(status).header('x-ms-error-code', code).type('application/xml').send(text);
}
