import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import opentype from 'opentype.js';

const file = fileURLToPath(import.meta.resolve('@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff'));
const font = opentype.parse(new Uint8Array(readFileSync(file)).buffer);

/**
 * A line of text as the data of an SVG path, centred at `x`: it can be read where no fonts are installed, as in a
 * container. `undefined`: the font lacks a character.
 */
export function textPath(line: string, at: { x: number; baseline: number; fontSize: number }): string | undefined {
  const characters = [...line];
  if (characters.some((character) => font.charToGlyphIndex(character) === 0)) return undefined;
  const glyphs = characters.map((character) => font.charToGlyph(character));
  const widths = glyphs.map(({ advanceWidth }) => (advanceWidth / font.unitsPerEm) * at.fontSize);
  let left = at.x - widths.reduce((sum, width) => sum + width, 0) / 2;
  return glyphs
    .map((glyph, index) => {
      const path = glyph.getPath(left, at.baseline, at.fontSize).toPathData(2);
      left += widths[index] as number;
      return path;
    })
    .join('');
}
