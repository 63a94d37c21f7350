// Where Azure keeps result images: blob storage of the public cloud, its partitioned zones, and the sovereign clouds.
const blobHostSuffixes = [
  '.blob.core.windows.net',
  '.blob.storage.azure.net',
  '.blob.core.usgovcloudapi.net',
  '.blob.core.chinacloudapi.cn',
];

export type DownloadAddress = { readonly url: URL; readonly route: 'public' | 'configured' };

/**
 * Decides whether a link that an upstream gave may be fetched: from an origin that the operator configured (as it
 * stands there, private addresses included), or by https from Azure's public blob hosts. `undefined`: it may not.
 */
export function downloadAddress(link: string, configuredOrigins: readonly string[]): DownloadAddress | undefined {
  const url = URL.parse(link);
  if (url === null || url.username !== '' || url.password !== '') return undefined;
  if (configuredOrigins.includes(url.origin)) return { url, route: 'configured' };
  const isBlobHost = blobHostSuffixes.some((suffix) => url.hostname.endsWith(suffix));
  return isBlobHost ? publicAddress(link) : undefined;
}

/** A link by https, wherever it leads; the connection is what refuses private addresses. */
export function publicAddress(link: string): DownloadAddress | undefined {
  const url = URL.parse(link);
  if (url === null || url.username !== '' || url.password !== '') return undefined;
  return url.protocol === 'https:' && url.port === '' ? { url, route: 'public' } : undefined;
}
