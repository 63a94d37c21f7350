/** The media types that an upload may have; its own bytes say which one it is. */
export const inputMediaTypes = ['image/png', 'image/jpeg', 'image/webp'] as const;

export type InputMediaType = (typeof inputMediaTypes)[number];

/** The Images API takes no more images than this for one edit. */
export const maxInputs = 16;

/** An image that a caller sent. It can be read any number of times, also at the same time, until it is released. */
export type ImageInput = {
  readonly mediaType: InputMediaType;
  readonly bytes: number;
  /** As hex. */
  readonly sha256: string;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  readonly hasAlpha: boolean;
  open(): AsyncIterable<Buffer>;
};

/** What an edit works on. */
export type EditInputs = {
  /** In the caller's order; never empty. */
  readonly images: readonly ImageInput[];
  /** Its transparent pixels say where the first image may change. */
  readonly mask: ImageInput | undefined;
  /** A drawing over the first image that says what should change. */
  readonly markup: ImageInput | undefined;
  /** Lets go of the bytes. Whoever takes the request over does this once, in every ending. */
  release(): Promise<void>;
};
