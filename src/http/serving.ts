import type { ImageDownload } from '../domain/image-download.ts';
import type { Gateway } from '../generations/gateway.ts';
import type { UploadLimits } from './uploads/watch-upload.ts';

/** What the models file decides about requests. Another one takes its place as a whole; who has begun goes on with this one. */
export type Serving = {
  readonly gateway: Gateway;
  readonly uploadLimits: UploadLimits;
  /** Fetches images that callers give as links; `undefined`: none are fetched. */
  readonly inputDownload: ImageDownload | undefined;
  /** The currency of costs in headers. */
  readonly currency: string;
};
