import type { ImageId } from '../domain/image-store.ts';
import type { ImageFile } from './image-file-name.ts';

/**
 * The images of the store, so that no request lists a directory: by id, and from the oldest to the newest, the order in
 * which they are evicted.
 */
export class ImageIndex {
  readonly #hosted = new Map<ImageId, ImageFile>();
  readonly #kept = new Map<ImageId, ImageFile>();
  /** From when on kept images may be evicted; also of images that are not in the index yet. */
  readonly #evictableFrom = new Map<ImageId, number>();
  #bytes = 0;

  /** Of all images. */
  get bytes(): number {
    return this.#bytes;
  }

  get(id: ImageId): ImageFile | undefined {
    return this.#hosted.get(id) ?? this.#kept.get(id);
  }

  has(file: ImageFile): boolean {
    return this.get(file.image.id)?.name === file.name;
  }

  /** All images, as they are now. */
  files(): ImageFile[] {
    return [...this.#hosted.values(), ...this.#kept.values()];
  }

  /** Adds the newest image. Its id may have had another file, which is still to be removed then. */
  add(file: ImageFile): ImageFile | undefined {
    const earlier = this.get(file.image.id);
    if (earlier?.name === file.name) return undefined;
    if (earlier !== undefined) this.#take(earlier);
    (file.isKept ? this.#kept : this.#hosted).set(file.image.id, file);
    this.#bytes += file.image.length;
    return earlier;
  }

  remove(file: ImageFile): void {
    if (!this.has(file)) return;
    this.#take(file);
    this.#evictableFrom.delete(file.image.id);
  }

  #take({ image, isKept }: ImageFile): void {
    (isKept ? this.#kept : this.#hosted).delete(image.id);
    this.#bytes -= image.length;
  }

  mayEvict(id: ImageId, from: number): void {
    this.#evictableFrom.set(id, from);
  }

  /** The ids given to `mayEvict` that have no image. */
  unknownEvictable(): ImageId[] {
    return [...this.#evictableFrom.keys()].filter((id) => this.get(id) === undefined);
  }

  /** Forgets those of the ids that still have no image. */
  forget(ids: readonly ImageId[]): void {
    for (const id of ids) if (this.get(id) === undefined) this.#evictableFrom.delete(id);
  }

  evictableBytes(now: number): number {
    let bytes = 0;
    for (const { image } of this.#evictable(now)) bytes += image.length;
    return bytes;
  }

  /** Takes out the images that have expired; their files are still to be removed. */
  takeExpired(now: number): ImageFile[] {
    const expired = this.files().filter(({ image }) => image.expiresAt <= now);
    for (const file of expired) this.remove(file);
    return expired;
  }

  /**
   * Takes out so many bytes, or fewer if no more may be evicted; the files are still to be removed.
   * @param except stays whatever it is
   */
  takeEvictable(bytes: number, now: number, except?: ImageId): ImageFile[] {
    const taken: ImageFile[] = [];
    if (bytes <= 0) return taken;
    let missing = bytes;
    for (const file of this.#evictable(now)) {
      if (missing <= 0 && file.image.expiresAt > now) break;
      if (file.image.id === except) continue;
      taken.push(file);
      missing -= file.image.length;
    }
    for (const file of taken) this.remove(file);
    return taken;
  }

  /** The expired images, then the hosted ones, then those of the kept ones that may be evicted; each from the oldest on. */
  *#evictable(now: number): Generator<ImageFile> {
    for (const file of this.files()) if (file.image.expiresAt <= now) yield file;
    for (const file of this.#hosted.values()) if (file.image.expiresAt > now) yield file;
    for (const file of this.#kept.values()) if (file.image.expiresAt > now && this.#isDelivered(file, now)) yield file;
  }

  #isDelivered({ image }: ImageFile, now: number): boolean {
    return (this.#evictableFrom.get(image.id) ?? Number.POSITIVE_INFINITY) <= now;
  }
}
