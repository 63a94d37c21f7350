/** The media types that an upload may have; its own bytes say which one it is. */
export const inputMediaTypes = [
  'image/png',
  'image/jpeg',
  'image/webp',
  'image/gif',
  'image/avif',
  'image/heic',
] as const;

export type InputMediaType = (typeof inputMediaTypes)[number];

/** The Images API takes no more images than this for one edit. */
export const maxInputs = 16;

/** OpenAI's limit for one image, in bytes. */
export const maxInputBytes = 50 * 1024 * 1024;

/** Far above what any model takes or makes: small files that unpack to gigabytes are refused by their headers. */
export const maxPixels = 50_000_000;

/** Bytes in an input store. Plain data: it survives JSON, and an equal reference opens the same bytes. */
export type StoredBytes = {
  /** As hex. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
};

/** An image that a client sent: what planning needs to know of it. Its bytes are in the request's input store. */
export type InputReference = StoredBytes & {
  readonly type: InputMediaType;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  readonly hasAlpha: boolean;
};

/** Reads inputs: any number of times, also at the same time, until the store is released. */
export interface InputReader {
  /** All bytes, from the first one on. Throws for bytes that the store does not have. */
  open(input: StoredBytes): AsyncIterable<Buffer>;
}

/** Keeps the inputs of one request until it is released. */
export interface InputStore extends InputReader {
  /**
   * Stores bytes while they arrive; one input at a time. Rejects with what `bytes` throws, and with the GatewayErrors
   * `storage_failed` and `overloaded`.
   */
  put(bytes: AsyncIterable<Buffer>): Promise<StoredBytes>;
  /** `length` bytes from a position on; fewer where the input ends. */
  read(input: StoredBytes, position: number, length: number): Promise<Buffer>;
  /** Frees everything; nothing can be read afterwards. Never rejects. */
  release(): Promise<void>;
}

/** An empty store for one request of a consumer. */
export type OpenInputStore = (consumer: string) => InputStore;

/** What an edit works on. */
export type EditInputs = {
  /** In the client's order; never empty. */
  readonly images: readonly InputReference[];
  /** Its transparent pixels say where the first image may change. */
  readonly mask: InputReference | undefined;
  /** A drawing over the first image that says what should change. */
  readonly markup: InputReference | undefined;
  /** Has the bytes of all of them. The owner of the request releases it once, however the request ends. */
  readonly inputs: InputReader & Pick<InputStore, 'release'>;
};
