import { Agent, type buildConnector } from 'undici';
import type { EgressProxy } from '../domain/egress-proxy.ts';
import type { DownloadedImage, ImageDownload } from '../domain/image-download.ts';
import type { Retrying } from '../domain/retrying.ts';
import { agentDefaults } from './client.ts';
import { egressConnector } from './egress-connector.ts';
import { guardedConnector } from './guarded-connector.ts';
import { ImageFetch, unavailable } from './image-fetch.ts';

/** Fetches images; it knows no credential, so none can leak. */
export interface ImageDownloads {
  /**
   * Downloads of images that are paid for, from Azure's public blob hosts and from these exact origins. They are retried
   * for as long as the request lasts.
   */
  allowing(configuredOrigins: readonly string[]): ImageDownload;
  /** Downloads by https from any public host, for links that callers give. Nothing is paid for yet, so they fail soon. */
  readonly fromAnywhere: ImageDownload;
  close(): Promise<void>;
}

/** How many tries in a row may bring nothing new of an image. */
const maxTries = { paid: Number.POSITIVE_INFINITY, given: 3 };

/**
 * Through a proxy go only downloads from hosts that are on a list: what it dials cannot be guarded here. `connector` is
 * replaced in tests, to reach a loopback server under the name of a public one.
 *
 * @param silenceMs how long the first try may bring no byte
 */
export function createImageDownloads(
  connector: buildConnector.connector = guardedConnector(),
  proxy?: EgressProxy,
  silenceMs = 15_000,
): ImageDownloads {
  const agents = {
    guarded: new Agent({ ...agentDefaults, connect: connector }),
    unguarded: new Agent({ ...agentDefaults, connect: egressConnector(proxy, 5_000) }),
  };

  async function download(
    address: DownloadAddress | undefined,
    retrying: Retrying & { readonly maxTries: number },
  ): Promise<DownloadedImage> {
    if (address === undefined) throw unavailable('the link names a host that is not allowed');
    const { url, connection } = address;
    return new ImageFetch({ agent: agents[connection], url, silenceMs, ...retrying }).open();
  }

  function allowed(link: string, configuredOrigins: readonly string[]): DownloadAddress | undefined {
    const address = downloadAddress(link, configuredOrigins);
    return address && proxy ? { ...address, connection: 'unguarded' } : address;
  }

  return {
    allowing:
      (configuredOrigins) =>
      (link, signal, until = Number.POSITIVE_INFINITY) =>
        download(allowed(link, configuredOrigins), { signal, until, maxTries: maxTries.paid }),
    fromAnywhere: (link, signal, until = Number.POSITIVE_INFINITY) =>
      download(publicAddress(link), { signal, until, maxTries: maxTries.given }),
    async close() {
      await Promise.all([agents.guarded.destroy(), agents.unguarded.destroy()]);
    },
  };
}

// Where Azure keeps result images: blob storage of the public cloud, its partitioned zones, and the sovereign clouds.
const blobHostSuffixes = [
  '.blob.core.windows.net',
  '.blob.storage.azure.net',
  '.blob.core.usgovcloudapi.net',
  '.blob.core.chinacloudapi.cn',
];

/** What may be fetched; `guarded`: by a connection that refuses private addresses. */
type DownloadAddress = { readonly url: URL; readonly connection: 'guarded' | 'unguarded' };

/**
 * Decides whether a link that an upstream gave may be fetched: from an origin that the operator configured (as it
 * stands there, private addresses included), or by https from Azure's public blob hosts. `undefined`: it may not.
 */
function downloadAddress(link: string, configuredOrigins: readonly string[]): DownloadAddress | undefined {
  const url = URL.parse(link);
  if (url === null || url.username !== '' || url.password !== '') return undefined;
  if (configuredOrigins.includes(url.origin)) return { url, connection: 'unguarded' };
  const isBlobHost = blobHostSuffixes.some((suffix) => url.hostname.endsWith(suffix));
  return isBlobHost ? publicAddress(link) : undefined;
}

/** A link by https, wherever it leads. */
function publicAddress(link: string): DownloadAddress | undefined {
  const url = URL.parse(link);
  if (url === null || url.username !== '' || url.password !== '') return undefined;
  return url.protocol === 'https:' && url.port === '' ? { url, connection: 'guarded' } : undefined;
}
