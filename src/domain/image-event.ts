import type { StoredImage } from './image-store.ts';

/** What the upstream says about the images of one response; each value is passed on as it came. */
export type ImageFacts = {
  readonly size?: string;
  readonly quality?: string;
  readonly background?: string;
  readonly outputFormat?: string;
};

/** The facts that two images share. */
export function equalFacts(one: ImageFacts, other: ImageFacts): ImageFacts {
  const equal = Object.entries(one).filter(([name, value]) => other[name as keyof ImageFacts] === value);
  return Object.fromEntries(equal);
}

/** The bytes of an image that is being stored, or is stored, for any number of readers at their own pace. */
export interface ImageSource {
  /**
   * Its file as base64 text, from the beginning, in pieces; waits for what has not come yet. Throws what broke it.
   * @param reader who reads it, so that one that is not stored can wait for those that have to get it
   */
  read(reader?: object): AsyncIterable<Buffer>;
}

/** Token counts as the upstream reports them, by their wire names: whole numbers, and objects of whole numbers. */
export type ImageUsage = Readonly<Record<string, unknown>>;

/**
 * One token of a response on its way through the gateway. An image is `image`, any number of `bytes`, `image-end`;
 * images are never interleaved; `done` is the last token.
 */
export type ImageEvent =
  /**
   * An image begins; `isPartial`: a partial image of the one with this index. Where there is a `source`, no `bytes` follow: they
   * are read from there. `partials`: how many partial images of it came before.
   */
  | {
      readonly type: 'image';
      readonly index: number;
      readonly isPartial: boolean;
      readonly source?: ImageSource;
      readonly partials?: number;
    }
  /** A piece of the image's file as base64 text without line breaks, cut anywhere. */
  | { readonly type: 'bytes'; readonly chunk: Buffer }
  | ImageEnd
  | { readonly type: 'url'; readonly index: number; readonly url: string; readonly revisedPrompt?: string }
  /** `created` in Unix seconds. */
  | { readonly type: 'done'; readonly created?: number; readonly usage?: ImageUsage; readonly facts?: ImageFacts };

/** What is known of one image when it has passed; streams tell facts and usage of each, other responses at the end. */
export type ImageEnd = {
  readonly type: 'image-end';
  readonly index: number;
  /** Of partial images: which one it is, from 0. */
  readonly partialIndex?: number;
  readonly revisedPrompt?: string;
  /** Where it is stored, if it is. */
  readonly stored?: StoredImage;
  /** Unix seconds. */
  readonly created?: number;
  readonly facts?: ImageFacts;
  readonly usage?: ImageUsage;
};
