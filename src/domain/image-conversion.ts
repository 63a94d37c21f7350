import type { InputReader, InputReference, InputStore, StoredBytes } from './image-input.ts';

/** The file formats that the gateway can make of other ones. */
export const convertedFormats = ['png', 'jpeg', 'webp'] as const;

export type ConvertedFormat = (typeof convertedFormats)[number];

/** The longest edge of a WebP file, in pixels. */
export const maxWebpEdge = 16_383;

/** What an image becomes. Plain data: it is recorded with the paid call whose images it is about. */
export type Conversion = {
  readonly format: ConvertedFormat;
  /** The quality of a format that has one, 0 to 100. */
  readonly compression: number;
};

/** Whose image is converted: one that a client sent, one that an upstream made, or a partial one. */
export const conversionKinds = ['input', 'output', 'partial'] as const;

export type ConversionKind = (typeof conversionKinds)[number];

/** One image to convert. */
export type ConversionOrder = Conversion & {
  readonly kind: ConversionKind;
  readonly image: StoredBytes;
  /** Has the image's bytes. */
  readonly from: InputReader;
  /** Gets those of the new one. */
  readonly into: Pick<InputStore, 'put'>;
  /** Ends the wait for a permit. */
  readonly signal: AbortSignal;
};

/** Converts image files, a few at a time, whoever needs it. */
export interface ImageConverter {
  /** Loads what it consists of, once. Rejects where that is broken, so it is awaited before anything is paid for. */
  ready(): Promise<void>;
  /**
   * Rejects with an `UnusableImageError` for a file that it cannot or must not decode, with the reason of the signal, and with
   * what the stores throw.
   */
  convert(order: ConversionOrder): Promise<InputReference>;
}

/** Why an image cannot be converted, as the end of a sentence that begins with the image. */
export class UnusableImageError extends Error {
  override readonly name = 'UnusableImageError';
}
