/** What is used of it; the package's public types bring those of browsers along. */
declare module 'opentype.js' {
  type Glyph = {
    readonly advanceWidth: number;
    getPath(x: number, y: number, fontSize: number): { toPathData(decimals: number): string };
  };
  type Font = {
    readonly unitsPerEm: number;
    charToGlyphIndex(character: string): number;
    charToGlyph(character: string): Glyph;
  };
  const opentype: { parse(buffer: ArrayBuffer): Font };
  // biome-ignore lint/style/noDefaultExport: that is how the package, which is CommonJS, is imported
  export default opentype;
}
