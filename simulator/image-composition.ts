import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import opentype from 'opentype.js';

/** What a composition is made from: the image's size in pixels, and the text that decides its shapes and colours. */
export type CompositionOrder = {
  readonly prompt: string;
  /** Position of the image in its response, from 0; another index gives another image. */
  readonly index: number;
  readonly width: number;
  readonly height: number;
  readonly transparent: boolean;
};

// Characters that XML forbids even when escaped; a prompt may hold them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are the point
const forbiddenInXml = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const maximumLines = 5;

function escapeXml(text: string): string {
  const clean = text.toWellFormed().replace(forbiddenInXml, ' ');
  return clean.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}

function wrap(text: string, lineLength: number): string[] {
  const lines: string[] = [''];
  for (const word of text.slice(0, lineLength * (maximumLines + 2)).split(/\s+/)) {
    const longest = word.length > lineLength ? `${word.slice(0, lineLength - 1)}…` : word;
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + longest.length > lineLength) lines.push(longest);
    else lines[lines.length - 1] = last === '' ? longest : `${last} ${longest}`;
  }
  return lines.length <= maximumLines ? lines : [...lines.slice(0, maximumLines - 1), '…'];
}

/** A source of numbers from 0 up to 1 that is the same for the same text. */
function numbersFrom(text: string): () => number {
  const bytes = createHash('shake256', { outputLength: 512 }).update(text).digest();
  let position = 0;
  return () => {
    position = (position + 2) % bytes.length;
    return bytes.readUInt16LE(position) / 65_536;
  };
}

function hills(next: () => number, order: CompositionOrder, hue: number): string {
  const { width, height } = order;
  return [0, 1, 2]
    .map((layer) => {
      const top = height * (0.5 + layer * 0.13 + next() * 0.06);
      const swing = height * (0.06 + next() * 0.12);
      const curve = `C ${width * 0.3} ${top - swing}, ${width * 0.6} ${top + swing}, ${width} ${top - swing * next()}`;
      const colour = `hsl(${hue + layer * 14}, 48%, ${58 - layer * 14}%)`;
      return `<path d="M 0 ${top} ${curve} L ${width} ${height} L 0 ${height} Z" fill="${colour}"/>`;
    })
    .join('');
}

function balloons(next: () => number, order: CompositionOrder): string {
  const edge = Math.min(order.width, order.height);
  return Array.from({ length: 4 + Math.floor(next() * 5) }, () => {
    const [x, y, radius] = [next() * order.width, order.height * (0.06 + next() * 0.4), edge * (0.02 + next() * 0.045)];
    const colour = `hsl(${Math.floor(next() * 360)}, 75%, 62%)`;
    const string = `<path d="M ${x} ${y + radius} q ${radius / 2} ${radius} 0 ${radius * 2}" stroke="#ffffffb0" stroke-width="${edge / 400}" fill="none"/>`;
    return `${string}<ellipse cx="${x}" cy="${y}" rx="${radius * 0.85}" ry="${radius}" fill="${colour}"/>`;
  }).join('');
}

function caption(order: CompositionOrder): string {
  const { width, height } = order;
  const fontSize = Math.max(9, Math.round(Math.min(width, height) / 24));
  const lines = wrap(order.prompt, Math.max(8, Math.floor((width * 0.84) / (fontSize * 0.6))));
  const panelHeight = (lines.length + 0.9) * fontSize * 1.3;
  const top = height - panelHeight - height * 0.05;
  const panel = `<rect x="${width * 0.05}" y="${top}" width="${width * 0.9}" height="${panelHeight}" rx="${fontSize}" fill="#ffffffd8"/>`;
  const texts = lines.map((line, row) => {
    const baseline = top + fontSize * (1.5 + row * 1.3);
    const path = textPath(line, { x: width / 2, baseline, fontSize });
    return path === undefined
      ? `<text x="${width / 2}" y="${baseline}" text-anchor="middle">${escapeXml(line)}</text>`
      : `<path d="${path}"/>`;
  });
  return `${panel}<g font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="${fontSize}" fill="#243042">${texts.join('')}</g>`;
}

/** Composes a small landscape as SVG: sky, sun, balloons, hills, and the prompt on a panel below. */
export function composeImage(order: CompositionOrder): string {
  const { width, height, transparent } = order;
  const next = numbersFrom(`${order.index}:${order.prompt}`);
  const hue = Math.floor(next() * 360);
  const sun = Math.min(width, height) * (0.09 + next() * 0.07);
  const sky = `<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="hsl(${hue + 170}, 62%, 46%)"/><stop offset="0.75" stop-color="hsl(${hue + 215}, 78%, 84%)"/></linearGradient>`;
  return svg(order, [
    transparent ? '' : `<defs>${sky}</defs><rect width="${width}" height="${height}" fill="url(#sky)"/>`,
    `<circle cx="${width * (0.15 + next() * 0.7)}" cy="${height * (0.14 + next() * 0.2)}" r="${sun}" fill="hsl(${38 + next() * 18}, 96%, 72%)"/>`,
    balloons(next, order),
    hills(next, order, hue),
    caption(order),
  ]);
}

/** Composes what an edit adds to an image, as SVG on nothing: balloons, and the prompt on a panel below. */
export function composeOverlay(order: CompositionOrder): string {
  return svg(order, [balloons(numbersFrom(`${order.index}:${order.prompt}`), order), caption(order)]);
}

function svg({ width, height }: CompositionOrder, shapes: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`;
  return [head, ...shapes, '</svg>'].join('');
}

const file = fileURLToPath(import.meta.resolve('@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff'));
const font = opentype.parse(new Uint8Array(readFileSync(file)).buffer);

/**
 * A line of text as the data of an SVG path, centred at `x`: it can be read where no fonts are installed, as in a
 * container. `undefined`: the font lacks a character.
 */
function textPath(line: string, at: { x: number; baseline: number; fontSize: number }): string | undefined {
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
