/** What changes when images cannot be uploaded, or can be again. */
export type UploadState = {
  /** Images that are in the local directory only. */
  readonly pending: number;
  /** Why uploads fail, in status and code alone; `undefined`: they succeed. */
  readonly lastError: string | undefined;
};

/** How the uploads of images to an object store go. */
export interface ImageUploads {
  /** Images that wait for their upload. */
  readonly pending: number;
  /** Uploads that have failed, or taken too long, since the start. An image that waits may fail several times. */
  readonly failed: number;
  /** Calls `listener` when uploads begin to fail, fail in another way, or succeed again; at once if they fail now. */
  watch(listener: (state: UploadState) => void): void;
}
