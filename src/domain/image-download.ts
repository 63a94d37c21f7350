/**
 * An open download whose first bytes were seen to be an image. Consuming `bytes` releases its connection; so does the
 * abort of the signal that it was opened with, which is how downloads that nobody reads any more end.
 */
export type DownloadedImage = { readonly mediaType: string; readonly bytes: AsyncIterable<Buffer> };

/**
 * Fetches an image from a link, without credentials, from allowed hosts only. Settles when the first bytes are known to
 * be an image; rejects with a GatewayError (`upstream_result_unavailable`), and with the signal's reason.
 *
 * @param until when the last try may begin, as of `performance.now()`; by default only the signal ends the tries
 */
export type ImageDownload = (url: string, signal: AbortSignal, until?: number) => Promise<DownloadedImage>;
