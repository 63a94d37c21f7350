declare module 'heic-decode' {
  type Decoded = { readonly width: number; readonly height: number; readonly data: Uint8ClampedArray };

  /** The first image of a file, upright. Rejects for what is no HEIC file, or is damaged. */
  function decode(file: { readonly buffer: Uint8Array }): Promise<Decoded>;

  export = decode;
}
