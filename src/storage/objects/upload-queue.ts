import { pause } from '../../concurrency/pause.ts';
import { startBounded } from '../../concurrency/semaphore.ts';
import type { ImageId } from '../../domain/image-store.ts';
import type { ImageUploads, UploadState } from '../../domain/image-uploads.ts';
import type { ImageFile } from '../image-file-name.ts';
import { ObjectStoreError, objectStoreError } from './object-store-error.ts';

/** In milliseconds. Shortened in tests. */
export type QueueTimes = {
  /** The pause after a failure, twice as long after each further one, up to the longest. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
};

export const defaultQueueTimes: QueueTimes = { pauseMs: 1_000, maxPauseMs: 60_000 };

/** How many images that wait are uploaded at once. */
const atOnce = 4;

type QueueParts = {
  /** Uploads an image that is in the local directory. Rejects with an ObjectStoreError when it has to wait on. */
  readonly upload: (file: ImageFile, signal: AbortSignal) => Promise<void>;
  readonly times: QueueTimes;
};

/** Images whose upload has failed, or whose process ended before it: uploaded one after the other until it succeeds. */
export class UploadQueue implements ImageUploads {
  readonly #parts: QueueParts;
  readonly #waiting = new Map<ImageId, ImageFile>();
  readonly #closed = new AbortController();
  #running: Promise<void> | undefined;
  /** Ends the pause after a failure. */
  #pausing: AbortController | undefined;
  #lastError: string | undefined;
  #listener: ((state: UploadState) => void) | undefined;
  #failed = 0;

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  get failed(): number {
    return this.#failed;
  }

  /** Whether the last upload has failed. Others need not try before one of those that wait has succeeded. */
  get isFailing(): boolean {
    return this.#lastError !== undefined;
  }

  has(id: ImageId): boolean {
    return this.#waiting.has(id);
  }

  watch(listener: (state: UploadState) => void): void {
    this.#listener = listener;
    if (this.isFailing) this.#report();
  }

  add(file: ImageFile): void {
    if (this.#closed.signal.aborted) return;
    this.#waiting.set(file.image.id, file);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** It need not be uploaded any more. */
  delete(id: ImageId): void {
    this.#waiting.delete(id);
  }

  /** An upload has succeeded, whoever has begun it: others need not wait any longer. */
  noteSuccess(id: ImageId): void {
    this.#waiting.delete(id);
    this.#become(undefined);
    this.#pausing?.abort();
  }

  /** An upload has failed. */
  noteFailure(error: unknown): void {
    this.#failed += 1;
    const { message } = error instanceof ObjectStoreError ? error : objectStoreError(error);
    this.#become(message);
  }

  /** Ends at once; what waits stays in the local directory. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  /** Resolves when nothing waits any more, or an upload fails. */
  async drained(): Promise<void> {
    if (!this.isFailing) await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    const { pauseMs, maxPauseMs } = this.#parts.times;
    // What fails alone must not keep others from being tried, so every failure lets the image go to the end of the queue.
    for (let failures = this.isFailing ? 1 : 0; this.#waiting.size > 0 && !signal.aborted; ) {
      if (failures > 0) {
        const waitMs = Math.min(maxPauseMs, pauseMs * 2 ** (failures - 1));
        await this.#pause(waitMs * (0.5 + Math.random() / 2));
      }
      if (signal.aborted) return;
      failures = (await this.#uploadSome(signal)) ? 0 : failures + 1;
    }
  }

  async #pause(ms: number): Promise<void> {
    this.#pausing = new AbortController();
    await pause(ms, AbortSignal.any([this.#closed.signal, this.#pausing.signal])).catch(() => {});
    this.#pausing = undefined;
  }

  /** Whether all of those that have waited longest could be uploaded. While uploads fail, only one is tried. */
  async #uploadSome(signal: AbortSignal): Promise<boolean> {
    const next = [...this.#waiting.values()].slice(0, this.isFailing ? 1 : 4 * atOnce);
    const uploads = next.map((file) => async () => {
      if (this.#waiting.get(file.image.id) !== file) return;
      await this.#parts.upload(file, signal);
      this.noteSuccess(file.image.id);
    });
    const ends = await Promise.allSettled(startBounded(uploads, { limit: atOnce, goOn: false }));
    const failed = ends.findIndex(({ status }) => status === 'rejected');
    const end = ends[failed];
    if (end?.status !== 'rejected' || signal.aborted) return true;
    this.noteFailure(end.reason);
    const file = next[failed] as ImageFile;
    if (this.#waiting.delete(file.image.id)) this.#waiting.set(file.image.id, file);
    return false;
  }

  #become(lastError: string | undefined): void {
    if (lastError === this.#lastError) return;
    this.#lastError = lastError;
    this.#report();
  }

  #report(): void {
    this.#listener?.({ pending: this.pending, lastError: this.#lastError });
  }
}
