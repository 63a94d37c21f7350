import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { imageExtension } from '../../../codec/image-header.ts';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type { ByteRange, ImageStore, OpenImage, StoredImage } from '../../../domain/image-store.ts';
import type { Hosting } from '../../../generations/delivery.ts';
import { type DescribedPath, describePath, withoutKey } from '../../openapi/describe.ts';
import { fileResponses } from '../../openapi/responses.ts';
import { sendBody } from '../../send-body.ts';
import { refuseOtherMethods } from '../../unserved-routes.ts';

const filesPath = '/v1/images/files';

export const filesRouteUrl = `${filesPath}/:id`;

/** What the document says about this route. */
export const filesPaths: readonly DescribedPath[] = [
  describePath(filesRouteUrl, {
    get: {
      ...withoutKey,
      operationId: 'retrieveHostedImage',
      tags: ['images'],
      summary:
        'Retrieves a hosted image, for 24 hours by default (limits.keepHours). The id is the permission; the extension may be left out',
      responses: fileResponses(),
    },
  }),
];

/** The path of a hosted image. It ends as the name of its file would: some programs tell the type of a link by that. */
export function filePath({ id, mediaType }: StoredImage): string {
  return `${filesPath}/${id}.${imageExtension(mediaType)}`;
}

/**
 * `GET /v1/images/files/{id}`, with or without the extension: a hosted image. The id is the permission: no key is needed,
 * and none is refused, because some clients send theirs to whatever link they get. Ids that are unknown, expired or no ids
 * at all look alike.
 */
export function filesRoute(app: FastifyInstance, store: ImageStore, stallMs: number): void {
  app.route<{ Params: { id: string } }>({
    // Fastify's own HEAD would say that the image is empty.
    method: ['GET', 'HEAD'],
    url: filesRouteUrl,
    handler: async (request, reply) => {
      const image = await openFile(store, request.params.id);
      if (image === undefined) throw new GatewayError('unknown_url', 'There is no such image, or not any more.');
      return sendImage(request, reply, { image, stallMs });
    },
  });
  refuseOtherMethods(app, filesRouteUrl, ['GET', 'HEAD']);
}

/** The id alone finds an image; an extension of another type is as wrong as another id. */
async function openFile(store: ImageStore, name: string): Promise<OpenImage | undefined> {
  const [, id = '', extension] = /^([^.]*)(?:\.(.*))?$/.exec(name) ?? [];
  const image = await store.open(id);
  if (image === undefined || extension === undefined) return image;
  return extension.replace(/^jpeg$/, 'jpg') === imageExtension(image.mediaType) ? image : undefined;
}

type Image = {
  readonly image: OpenImage;
  /** A client that reads nothing for so long is dropped. */
  readonly stallMs: number;
};

/** Sends an image as a file, or a part of it. */
export async function sendImage(
  request: FastifyRequest,
  reply: FastifyReply,
  { image, stallMs }: Image,
): Promise<FastifyReply | undefined> {
  const { id, length, mediaType, expiresAt } = image;
  // The bytes behind an id never change.
  const etag = `"${id}"`;
  const range = requestedRange(request, etag, length);
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${length}`);
    throw new GatewayError('range_not_satisfiable', 'The image has no such bytes.');
  }
  const lifetimeS = Math.max(0, Math.floor((expiresAt - Date.now()) / 1000));
  reply.headers({
    etag,
    'accept-ranges': 'bytes',
    'cache-control': `private, max-age=${lifetimeS}, immutable`,
    // The bytes came from an upstream: a browser shall take them for an image and nothing else.
    'x-content-type-options': 'nosniff',
    'content-disposition': 'inline',
    'content-security-policy': "default-src 'none'; sandbox",
  });
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
  const part = range ?? { first: 0, last: length - 1 };
  if (range) reply.code(206).header('content-range', `bytes ${part.first}-${part.last}/${length}`);
  reply.header('content-length', part.last - part.first + 1).type(mediaType);
  if (request.method === 'HEAD') return reply.send();
  // A timeout of the socket would start again once for what was still being written when it began: twice the limit.
  await sendBody(reply, image.read(range), { record: request.record, stallMs });
  return undefined;
}

/** `if-none-match` compares weakly (RFC 9110, 13.1.2). */
function matches(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}

/** One range of bytes; anything more complicated may get the whole image (RFC 9110, 14.2). */
function requestedRange(
  { headers }: FastifyRequest,
  etag: string,
  length: number,
): ByteRange | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range ?? '') ?? [];
  if (from + to === '' || (headers['if-range'] !== undefined && headers['if-range'] !== etag)) return undefined;
  const first = from === '' ? Math.max(0, length - Number(to)) : Number(from);
  const last = from === '' || to === '' ? length - 1 : Math.min(Number(to), length - 1);
  if (from !== '' && to !== '' && Number(to) < first) return undefined;
  return first <= last ? { first, last } : 'unsatisfiable';
}

/**
 * Images have links where there is an address that callers can use: what waits to be uploaded is served by the gateway.
 * @param linkTo gives links to where images were uploaded
 */
export function hostingAt(
  baseUrl: string | undefined,
  linkTo: ((image: StoredImage) => Promise<string | undefined>) | undefined,
): Hosting | undefined {
  if (baseUrl === undefined) return undefined;
  const ownUrl = (image: StoredImage) => `${baseUrl}${filePath(image)}`;
  return { urlOf: linkTo === undefined ? ownUrl : async (image) => (await linkTo(image)) ?? ownUrl(image) };
}
