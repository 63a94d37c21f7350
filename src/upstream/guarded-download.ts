import { Agent, type buildConnector, type Dispatcher } from 'undici';
import type { EgressProxy } from '../domain/egress-proxy.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { DownloadedImage, ImageDownload } from '../domain/image-download.ts';
import { imageHeaderBytes, imageMediaType } from '../domain/image-header.ts';
import { pause } from '../domain/pause.ts';
import { agentDefaults, target } from './client.ts';
import { type DownloadAddress, downloadAddress, publicAddress } from './download-address.ts';
import { egressConnector } from './egress-connector.ts';
import { type Answer, exchange } from './exchange.ts';
import { guardedConnector } from './guarded-connector.ts';

/** Fetches pictures; it knows no credential, so none can leak. */
export interface ImageDownloads {
  /** Downloads for one target: from Azure's public blob hosts and from these exact origins. */
  allowing(configuredOrigins: readonly string[]): ImageDownload;
  /** Downloads by https from any public host, for links that callers give. */
  readonly fromAnywhere: ImageDownload;
  close(): Promise<void>;
}

const maxBytes = 64 * 1024 * 1024;
const tries = 3;
const openMs = 60_000;
const pauseMs = 200;

/**
 * Through a proxy go only downloads from hosts that are on a list: of what it dials nothing is seen here, so that it
 * cannot be guarded. `connector` is replaced in tests, to reach a loopback server under the name of a public one.
 */
export function createImageDownloads(
  connector: buildConnector.connector = guardedConnector(),
  proxy?: EgressProxy,
): ImageDownloads {
  const timeouts = { ...agentDefaults, headersTimeout: 15_000, bodyTimeout: 15_000 };
  const agents = {
    public: new Agent({ ...timeouts, connect: connector }),
    configured: new Agent({ ...timeouts, connect: egressConnector(proxy, 5_000) }),
  };

  async function download(address: DownloadAddress | undefined, signal: AbortSignal): Promise<DownloadedImage> {
    if (address === undefined) throw unavailable('the link names a host that is not allowed');
    return openRepeatedly(agents[address.route], address, signal);
  }

  function allowed(link: string, configuredOrigins: readonly string[]): DownloadAddress | undefined {
    const address = downloadAddress(link, configuredOrigins);
    return address && proxy ? { ...address, route: 'configured' } : address;
  }

  return {
    allowing: (configuredOrigins) => (link, signal) => download(allowed(link, configuredOrigins), signal),
    fromAnywhere: (link, signal) => download(publicAddress(link), signal),
    async close() {
      await Promise.all([agents.public.destroy(), agents.configured.destroy()]);
    },
  };
}

async function openRepeatedly(
  agent: Dispatcher,
  address: DownloadAddress,
  signal: AbortSignal,
): Promise<DownloadedImage> {
  const opening = new AbortController();
  const timer = setTimeout(() => opening.abort(unavailable('it did not start in time')), openMs);
  const either = AbortSignal.any([signal, opening.signal]);
  try {
    for (let failures = 0; ; ) {
      try {
        return await open(agent, address.url, either);
      } catch (error) {
        failures += 1;
        if (either.aborted) throw either.reason;
        if (error instanceof GatewayError || failures === tries) throw asUnavailable(error);
        await pause(pauseMs * 2 ** failures * Math.random(), either);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** One try. A GatewayError is final; anything else may be tried again. */
async function open(agent: Dispatcher, url: URL, signal: AbortSignal): Promise<DownloadedImage> {
  const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'azure-image-gateway' };
  const answer = await exchange(agent, { ...target(url), method: 'GET', headers, signal });
  try {
    checkHead(answer);
    return await checkFirstBytes(answer.body);
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

function checkHead({ status, headers }: Answer): void {
  if (status === 408 || status === 429 || status >= 500) throw new Error(`status ${status}`);
  if (status !== 200) throw unavailable(`status ${status}`);
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw unavailable('it is compressed');
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw unavailable('it is too long');
}

async function checkFirstBytes(body: AsyncIterable<Buffer>): Promise<DownloadedImage> {
  const rest = body[Symbol.asyncIterator]();
  let header: Buffer = Buffer.alloc(0);
  while (header.length < imageHeaderBytes) {
    const { value, done } = await rest.next();
    if (done) break;
    header = header.length === 0 ? value : Buffer.concat([header, value]);
  }
  const mediaType = imageMediaType(header);
  // Azure stores no SVG, but answers errors as XML.
  if (mediaType === undefined || mediaType === 'image/svg+xml') throw unavailable('it is not an image');
  return { mediaType, bytes: capped(header, rest) };
}

async function* capped(header: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  let length = header.length;
  try {
    yield header;
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      length += next.value.length;
      if (length > maxBytes) throw unavailable('it is too long');
      yield next.value;
    }
  } catch (error) {
    throw asUnavailable(error);
  } finally {
    await rest.return?.();
  }
}

function asUnavailable(error: unknown): GatewayError {
  return error instanceof GatewayError ? error : unavailable(error);
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError(
    'upstream_result_unavailable',
    'A finished picture could not be fetched from where the image service stored it. It was not asked for again.',
    { outcome: 'unknown', cause },
  );
}
