import type { StoredImage } from '../domain/image-store.ts';

/** What is in the store, by id and from the oldest to the newest, so that no request has to look through a directory. */
export interface ImageIndex {
  /** `image` is newer than all that were added before. */
  add(image: StoredImage): void;
  get(id: string): StoredImage | undefined;
  /** Takes out what has expired at `now`; the caller removes the files. */
  takeExpired(now: number): StoredImage[];
  /** Takes out what must go for the rest to fit: the expired first, then the oldest. */
  takeExcess(now: number): StoredImage[];
}

/** An empty index of a store that may hold `maxBytes`. */
export function createImageIndex(maxBytes: number): ImageIndex {
  const images = new Map<string, StoredImage>();
  let total = 0;

  const takeWhile = (from: Iterable<StoredImage>, wanted: () => boolean): StoredImage[] => {
    const taken: StoredImage[] = [];
    for (const image of from) {
      if (!wanted()) break;
      images.delete(image.id);
      total -= image.length;
      taken.push(image);
    }
    return taken;
  };
  const takeExpired = (now: number) => {
    const expired = [...images.values()].filter(({ expiresAt }) => expiresAt <= now);
    return takeWhile(expired, () => true);
  };
  const isFull = () => total > maxBytes;

  return {
    add(image) {
      images.set(image.id, image);
      total += image.length;
    },
    get: (id) => images.get(id),
    takeExpired,
    takeExcess: (now) => (isFull() ? [...takeExpired(now), ...takeWhile(images.values(), isFull)] : []),
  };
}
