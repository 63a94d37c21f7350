/**
 * An open download whose first bytes were seen to be an image. Consuming `bytes` releases its connection; so does the
 * abort of the signal that it was opened with, which is how downloads that nobody reads any more end.
 */
export type DownloadedImage = { readonly mediaType: string; readonly bytes: AsyncIterable<Buffer> };

/**
 * Fetches a result picture from a link that an upstream gave, without credentials, from allowed hosts only.
 * Settles when the first bytes are known to be an image; rejects with a GatewayError (`upstream_result_unavailable`).
 */
export type ImageDownload = (url: string, signal: AbortSignal) => Promise<DownloadedImage>;
